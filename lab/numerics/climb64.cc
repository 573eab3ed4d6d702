#include "k.h"
#include <quadmath.h>
#include <random>
#include <time.h>
#include <vector>
typedef __float128 Q;
static std::mt19937_64 R; static double U01(){ return (R()>>11)*0x1p-53; }
struct St{ double u,t; double g,w,w2; Q wq; };
static char kd; static double gmin=0,gmax=5,UMAX=1e4; static std::vector<double> fw,fg;
static double err64(double got,Q want,Q mag){ if(got!=got||isinf(got)) return fabsq(want)>1.7976931348623157e308Q?0:1e9; int e; frexpq(fabsq(mag),&e); e-=1; if(mag==0||e<-1022)e=-1022; return (double)ldexpq(fabsq((Q)got-want),52-e); }
// weights: w exact real = w + wl (wl: up to half ulp), kernel sees w
static void errs(const St&s,double*d){ double o[5]; Plan<double> P=plan<double>(s.g); Q wq=s.wq;
 Q a=fabsq((Q)s.u),e=expq(-a),l=log1pq(e),g=s.g; bool neg=s.u<0;
 if(kd=='s'||kd=='S'||kd=='p'){ if(kd=='s')K<double>::square<false>(s.u,s.w,o); else if(kd=='S')K<double>::square<true>(s.u,s.w,o); else K<double>::power(P,s.u,s.w,o);
  Q sg=1/(1+e),q=e/(1+e); if(neg){Q t=sg;sg=q;q=t;} Q L=l+(neg?0:(Q)s.u), ls=(neg?(Q)s.u:0)-l; Q pw=wq*expq(g*ls); Q qL=q*L; Q loss=pw*L,grad=pw*(sg+g*qL),A=q*sg*(1+2*g),B=g*qL*g*q,C=g*qL*sg; d[0]=err64(o[0],loss,loss); d[1]=err64(o[1],grad,grad); if(kd!='s'){ d[2]=err64(o[2],pw*(A+B-C),pw*(A+B+C)); Q cv=pw*sg*q; d[3]=err64(o[3],cv,cv);} else d[2]=d[3]=0; }
 else if(kd=='q'||kd=='r'){ K<double>::soft(P,kd=='q',s.u,s.t,s.w,s.w2,o); Q p=1/(1+e),q=e/(1+e); if(neg){Q z=p;p=q;q=z;} Q t=s.t,r=1-t; Q wr=wq*t+(Q)s.w2*r; Q pr=p*r,qt=q*t,m=pr+qt,E=l+(neg?-(Q)s.u*t:(Q)s.u*r); Q pw=wr*(g==0?1:expq(g*logq(m))); Q pqm=fminq(p,q)/m*fmaxq(p,q); Q dl=1-2*t,k=g*dl*pqm,Kk=g*fabsq(dl)*pqm; d[0]=err64(o[0],pw*E,pw*E); d[1]=err64(o[1],pw*(pr-qt+k*E),pw*(m+Kk*E)); d[2]=err64(o[2],pw*(p*q+k*(2*(pr-qt)+E*((g-1)*dl*pqm+q-p))),pw*(p*q+Kk*(2*m+E*((g+1)*fabsq(dl)*pqm+1)))); d[3]=err64(o[3],pw*p*q,pw*p*q); }
 else { Q sg=neg?e/(1+e):1/(1+e), sp=l+(neg?0:(Q)s.u); d[0]=err64(K<double>::sigm(s.u),sg,sg); d[1]=err64(K<double>::softp(s.u),sp,sp); d[2]=d[3]=0; } }
static void setw(St&s){ if(fw.size()){ s.wq=s.w; return; } int e; frexp(s.w,&e); s.wq=(Q)s.w+(Q)(U01()-.5)*ldexp(1,e-53); }
static St rnd(){ St s; double z=U01(),a; if(z<.6)a=U01()*40; else if(z<.8)a=U01()*700; else if(z<.95) a=exp2(-12+15*U01()); else a=exp2(-60+70*U01()); s.u=U01()<.5?a:-a; if(!(fabs(s.u)<UMAX))s.u=1; s.g=fg.size()?fg[R()%fg.size()]:gmin+(gmax-gmin)*(U01()<.3?1-pow(U01(),2)*.2:U01()); s.w=fw.size()?fw[R()%fw.size()]:U01()<.8?1+U01():exp2(-300+600*U01()); s.w2=U01()<.5?s.w:(1+U01())*exp2(-20+40*U01()); z=U01(); double t=z<.4?U01():z<.6?exp(-U01()*40):z<.8?1-exp(-U01()*32):z<.9?.5+(U01()-.5)*exp(-U01()*32):exp(-U01()*100); s.t=t; if(s.t>=1)s.t=1-0x1p-53; if(s.t<=0)s.t=1e-30; setw(s); return s; }
static St mut(const St&s){ St n=s; int k=R()%6; double sc=exp2(-52*U01()); if(k<=2||kd=='g'){ int r=R()%52; n.u=fb((uint64_t)(tb(s.u)+(int64_t)(R()%(2ul<<r))-(1l<<r))); } if((k==2||k==3)&&!fg.size()){ n.g=s.g+(U01()-.5)*2*sc*fmax(s.g,.1); if(n.g<gmin)n.g=gmin; if(n.g>gmax)n.g=gmax; } if((k==4||k==2)&&!fw.size()){ n.w=s.w*(1+(U01()-.5)*2*sc); setw(n); } if((kd=='q'||kd=='r')&&(k==5||k==1)){ int r=R()%52; if(U01()<.5) n.t=fb((uint64_t)(tb(s.t)+(int64_t)(R()%(2ul<<r))-(1l<<r))); else n.t=1-(1-s.t)*(1+(U01()-.5)*2*sc); if(!(n.t>0&&n.t<1))n.t=s.t; if(!fw.size())n.w2=s.w2*(1+(U01()-.5)*2*sc); } if(!(fabs(n.u)<UMAX))n.u=s.u; return n; }
int main(int ac,char**av){ kd=av[1][0]; double sec=atof(av[2]); R.seed(atol(av[3])); for(int i=4;i<ac;i++){ if(!strncmp(av[i],"g=",2)){ double a,b; if(sscanf(av[i]+2,"%lf..%lf",&a,&b)==2){gmin=a;gmax=b;} else for(char*p=strtok(av[i]+2,",");p;p=strtok(0,",")) fg.push_back(atof(p)); } if(!strncmp(av[i],"w=",2)) for(char*p=strtok(av[i]+2,",");p;p=strtok(0,",")) fw.push_back(atof(p)); if(!strncmp(av[i],"u=",2))UMAX=atof(av[i]+2);} if(kd=='s'||kd=='S'||kd=='q')fg={2};
 double best[4]={0}; St bs[4]; long n=0; time_t t0=time(0); double d[4]; while(time(0)-t0<sec){ int q=R()%4; if(kd=='g')q&=1; if(kd=='s')q&=1; St c; double cb=-1; for(int i=0;i<150;i++){ St s=rnd(); errs(s,d); n++; if(d[q]>cb){cb=d[q];c=s;} for(int j=0;j<4;j++) if(!(d[j]<=best[j])){best[j]=d[j];bs[j]=s;} } int fail=0; while(fail<400&&time(0)-t0<sec){ St s=mut(c); errs(s,d); n++; for(int j=0;j<4;j++) if(!(d[j]<=best[j])){best[j]=d[j];bs[j]=s;} if(d[q]>=cb){ if(d[q]>cb)fail=0; else fail++; cb=d[q]; c=s; } else fail++; } }
 printf("64 %c n=%ld\n",kd,n); for(int j=0;j<4;j++) if(best[j]>0) printf("  q%d %.4f u=%a g=%.17g w=%a t=%a w2=%a\n",j,best[j],bs[j].u,bs[j].g,bs[j].w,bs[j].t,bs[j].w2); }
