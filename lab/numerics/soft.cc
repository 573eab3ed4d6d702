
#include "k.h"
#include "or.h"
#include <random>
int main(int ac,char**av){ bool sq=av[1][0]=='s'; double g=atof(av[2]); float wp=atof(av[3]),wn=atof(av[4]); long n=atol(av[5]); std::mt19937_64 R(7); std::uniform_real_distribution<double> D(0,1); Plan<float> P=plan<float>(g); double W[5]={0},X[5],T[5],S[5]={0};
 for(long i=0;i<n;i++){ float x,t; double z=D(R); x=z<.7?(D(R)-.5)*40:z<.9?(D(R)-.5)*200:exp((D(R)-.5)*40)*(D(R)<.5?-1:1); z=D(R); t=z<.4?D(R):z<.6?exp(-D(R)*20):z<.8?1-exp(-D(R)*16.6):z<.9?.5+(D(R)-.5)*exp(-D(R)*16):z<.93?exp(-D(R)*100):D(R)<.5?0:1; if(t>1)t=1; float o[5]; K<float>::soft(P,sq,x,t,wp,wn,o); auto r=sref(x,t,g,wp,wn); double d[5]={err32(o[0],r.loss,r.loss),err32(o[1],r.grad,r.gmag),err32(o[2],r.hess,r.hmag),err32(o[3],r.curv,r.curv),err32(o[4],r.fg,r.fgm)}; for(int j=0;j<5;j++){ S[j]+=d[j]; if(!(d[j]<=W[j]))W[j]=d[j],X[j]=x,T[j]=t; } }
 printf("%s g %g w %g %g:",av[1],g,wp,wn); const char*nm[]={"loss","grad","hess","curv","fgrad"}; for(int j=0;j<5;j++) printf(" %s %.3f (%.9g,%.9g) mean %.3f",nm[j],W[j],X[j],T[j],S[j]/n); puts(""); }
