#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
// reference values: for float in double; for double in __float128-ish long double is not enough: uses quadmath elsewhere
template<class R> struct Val{ R loss,grad,hess,hmag,curv,fgrad; };
static inline Val<double> ref(double u,double g,double w){ double a=fabs(u),e=exp(-a),l=log1p(e),s=1/(1+e),q=e/(1+e); if(u<0){double t=s;s=q;q=t;} double L=fmax(u,0)+l, ls=fmin(u,0)-l, P=w*exp(g*ls); double qL=q*L; Val<double> v; v.loss=P*L; v.grad=P*(s+g*qL); double A=q*s*(1+2*g),B=g*qL*g*q,Cc=g*qL*s; v.hess=P*(A+B-Cc); v.hmag=P*(A+B+Cc); v.curv=P*s*q; v.fgrad=P*s; return v; }
static inline double err32(float got,double want,double mag){ if(!(fabs(got)<=3.4028235e38f)){ return (got!=got||fabs(want)<3.4028235677973366e38)?1e9:0; } uint64_t b; memcpy(&b,&mag,8); int e=(int)(b>>52&0x7ff)-1023; if(e<-126)e=-126; if(e>127)e=127; uint64_t ub=(uint64_t)(1023+23-e)<<52; double un; memcpy(&un,&ub,8); return fabs(got-want)*un; }

struct SVal{ double loss,grad,gmag,hess,hmag,curv,fg,fgm; };
static inline SVal sref(double x,double t,double g,double wp,double wn){ double a0=fabs(x),e=exp(-a0),l=log1p(e),p=1/(1+e),q=e/(1+e); if(x<0){double z=p;p=q;q=z;} double r=1-t,a=wp*t+wn*r,pr=p*r,qt=q*t,m=pr+qt,E=l+fmax(x,0)*r+fmax(-x,0)*t; double pw=a*(g==0?1:exp(g*log(m))); double pqm=m>0?fmin(p,q)/m*fmax(p,q):0; double d=1-2*t,k=g*d*pqm,K=g*fabs(d)*pqm; SVal v; v.loss=pw*E; v.grad=pw*(pr-qt+k*E); v.gmag=pw*(m+K*E); v.hess=pw*(p*q+k*(2*(pr-qt)+E*((g-1)*d*pqm+q-p))); v.hmag=pw*(p*q+K*(2*m+E*((g+1)*fabs(d)*pqm+1))); v.curv=pw*p*q; v.fg=pw*(pr-qt); v.fgm=pw*m; return v; }
