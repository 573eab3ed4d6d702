#include "k.h"
#include <vector>
template<class T> void run(const char*nm){ int n=100000; uint64_t s=12345; auto next=[&]{ s^=s<<13; s^=s>>7; s^=s<<17; return (double)(s>>11)*0x1p-53; }; std::vector<T> x,t; for(int i=0;i<n;i++){ double z=next(), r=next()-0.5,v; if(z<.6)v=r*40; else if(z<.9)v=r*300; else v=r*1e-3; x.push_back(v); t.push_back(next()); } x[0]=INFINITY;x[1]=-INFINITY;x[2]=-0.0;
 for(double g:{0.,.3,2.,2.3,5.,100.}) for(int f:{1,2,3,4}){ if((f==1||f==3)&&g!=2) continue; Plan<T> P=plan<T>(g); uint64_t h[4]; for(auto&v:h)v=14695981039346656037u; for(int i=0;i<n;i++){ T o[5]; if(f==1)K<T>::template square<true>(x[i],(T)0.7,o); else if(f==2)K<T>::power(P,x[i],(T)0.7,o); else K<T>::soft(P,f==3,x[i],t[i],(T)0.3,(T)0.7,o); for(int j=0;j<4;j++) h[j]=(h[j]^(uint64_t)tb(o[j]))*1099511628211u; } printf("%s %g %d %lx %lx %lx %lx\n",nm,g,f,h[0],h[1],h[2],h[3]); } }
int main(){ run<float>("float32"); run<double>("float64"); }
