#pragma once
#include "coef.h"
#include <math.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#define INL static inline __attribute__((always_inline))
INL float F(float a,float b,float c){return __builtin_fmaf(a,b,c);} INL double F(double a,double b,double c){return __builtin_fma(a,b,c);}
INL uint32_t tb(float x){uint32_t b;memcpy(&b,&x,4);return b;} INL uint64_t tb(double x){uint64_t b;memcpy(&b,&x,8);return b;}
INL float fb(uint32_t b){float x;memcpy(&x,&b,4);return x;} INL double fb(uint64_t b){double x;memcpy(&x,&b,8);return x;}
template<class T> INL T larger(T a,T b){return a>b?a:b;} template<class T> INL T smaller(T a,T b){return a<b?a:b;}
template<class T> INL T poly(const T*c,int n,T x,T xx){ if(n<=9&&sizeof(T)==4){T q=c[n-1];
#pragma GCC unroll 16
 for(int i=n-2;i>=0;i--)q=F(q,x,c[i]);return q;} T p=c[n-2],q=c[n-1];
#pragma GCC unroll 32
 for(int i=n-3;i>0;i-=2){q=F(q,xx,c[i]);p=F(p,xx,c[i-1]);} if(n%2==0)return F(q,x,p); q=F(q,xx,c[0]); return F(p,x,q);}
template<class T> INL T series(const T*c,int n,T x){ if(n<=6) return x*poly(c,n,x,x*x); T xx=x*x; return F(x,c[0],xx*poly(c+1,n-1,x,xx)); }
template<class T> struct Plan{ T g,gm1,gl,gll,g2l,h1,hi,lo,hid,hp,hb; };
template<class T> Plan<T> plan(double g){ Plan<T> p; g=fmin(fabs(g),C<T>::maxg); p.g=(T)g; p.gm1=(T)(g-1); p.gl=(T)(g*0x1.62e42fefa39efp-1); p.gll=(T)(__builtin_fma(g,0x1.62e42fefa39efp-1,-(double)p.gl)+g*0x1.abc9e3b39803fp-56); p.g2l=(T)(g*g*0x1.62e42fefa39efp-1); p.h1=F((T)2,p.g,(T)1); typedef typename C<T>::U U; p.hi=fb((U)(tb(p.g)&~(((U)1<<((C<T>::MB+1)/2))-1))); p.lo=(T)(g-(double)p.hi); p.hid=p.hi*(T)ldexp(1,-C<T>::SH); T hf=(T)ldexp(1,-C<T>::SH/2); p.hp=g>4?hf:(T)ldexp(1,-C<T>::SH); p.hb=g>4?hf:1; return p; }
template<class T> struct K{ typedef C<T> c; typedef typename c::U U;
 static constexpr T magicExp=(T)(1.5*(double)((uint64_t)1<<(c::MB-c::NB)))+c::BIAS, magicFar=magicExp+c::SH, powMin=(T)(1.5*(double)((uint64_t)1<<c::MB)), magicPow=powMin+c::BIAS+c::SH;
 static inline const T hup=(T)ldexp(1,c::SH/2), hdn=(T)ldexp(1,-c::SH/2); static inline const T up=(T)ldexp(1,c::SH), down=(T)ldexp(1,-c::SH), ln2down=(T)(c::Ln2*down);
 INL void ex(T u,T magic,T bound,T&A,T&p,T&k,T&f){ T a=fabs(u); a=smaller(a,bound); T t=F(-a,c::Log2E,magic); k=t-magic; f=F(-a,c::Log2E,-k); f=F(-a,c::Log2ELo,f); A=fb((U)(tb(t)<<(c::MB-c::NB))); T x=f+c::Node[tb(t)&((1<<c::NB)-1)]; p=series(c::Exp,c::nExp,x); }
 INL void lg(T A,T p,T&e,T&small,T&lam,T&m){ T g=A*p; e=A+g; small=e*down; 
#ifdef F1
 T Rr=poly(c::Log,c::nLog,small,small*small); m=F(Rr,F(-e,small,A),F(Rr,g,g));
#else
 T ee=F(-e,small,e); m=F(ee,poly(c::Log,c::nLog,small,small*small),g);
#endif
 lam=A+m;
#ifdef XLAM
 double ed=(double)A*(1+(double)p)*(double)down; double ld=log1p(ed)*1.4426950408889634; lam=(T)(ld*(double)up); 
#endif
 }
 template<bool OUT=false> INL T pw(const Plan<T>&P,T w,T k,T A,T h,T&b){ T tt=F(-A,down,k)+h; T t=F(P.hi,tt,magicPow); t=larger(t,powMin); T KK=t-magicPow; T r=F(P.hi,k,-KK); r=F(-P.hid,A,r); r=F(P.hi,h,r); r=F(P.lo,tt,r); r=larger(r,(T)-1);
#ifdef XR
{ double rd=((double)P.hi+(double)P.lo)*((double)k-(double)A*down+(double)h)-KK; r=larger((T)rd,(T)-1);}
#endif
 
 T p; if(OUT){ T rr=r*r; p=F(r,c::Pow[0],rr*poly(c::Pow+1,c::nPow-1,r,rr)); } else p=series(c::Pow,c::nPow,r);
 b=w*fb((U)(tb(t)<<c::MB)); 
#ifdef XP
 p=(T)(exp2((double)r)-1);
#endif
 b=F(b,p,b); return b*down; }
 INL void tab(bool neg,T V,T A,T p,T&L,T&S,T&v){ int i=tb(F(A,(T)7,powMin))&7; T r=c::Recip[i]; S=A*r; T z=S+(r-1); z=F(S,p,z); T zz=z*z; T y=F(zz,poly(c::Log1p,c::nLog1p,z,zz),z); L=(c::LogRecip[i]+V)+y; v=((neg?p:(T)0)-z)/(1+z); S=neg?S:r; }
 // out: loss grad hess curv
 static inline const T large=(T)ldexp(1,c::BIAS-1);
 // out: loss grad hess curv fgrad
 template<bool H> INL void square(T u,T w,T*o){ bool neg=signbit(u); T V=larger((T)0,u); T A,p,k,f,L,S,v,far; if(H){ex(u,magicFar,(T)c::far_,far,p,k,f); A=far*down;} else ex(u,magicExp,(T)c::near_,A,p,k,f); tab(neg,V,A,p,L,S,v); T b=(S*S)*w; T B=F(b,F(v,v,v+v),b); o[0]=B*L; T e=F(A,p,A); T s=F(S,v,S); T r=1-s; T q=neg?r:e*s; L=smaller((T)c::maxsp,L); L=L+L; o[1]=B*F(q,L,s); if(H){ far=F(far,p,far); T Q=neg?r*up:far*s; o[3]=((B*s)*Q)*down; o[4]=B*s; o[2]=((B*F(L,F((T)2,q,-s),5*s))*Q)*down; } }
 INL void power(const Plan<T>&P,T u,T w,T*o,bool zero=false){ bool neg=u<0; T V=larger((T)0,u); T A,p,k,f,e,small,lam,m; ex(u,magicFar,(T)c::far_,A,p,k,f); lg(A,p,e,small,lam,m); T b,B; if(zero)b=B=w; else {k=neg?k:0; f=neg?f:0; T h=F(-m,down,f); B=pw(P,w,k,A,h,b);} T Q=F(B,A,B*m); o[0]=F(Q,ln2down,B*V);
  T al=neg?e:up; T Cc=smaller(B*(T)c::maxsp,o[0]); T ge=P.g*e; T be=neg?P.gl:ge; T X=neg?Q:Cc; T d=up+e; { T gg=A*p; T y=neg?B:P.g; y=F(y,A,y*gg); be=neg?P.gl:y; T al2=neg?y:B*up; al2=F(neg?P.gll:0,X,al2); o[1]=F(be,X,al2)/d; } V=smaller((T)c::maxsp,V);
  T dn=1+small, dl=(1-dn)+small, dd=F(dn,dl+dl,dn*dn); o[3]=((B*F((T)0,V,e))/dd)*down; o[4]=(B*F((T)0,V,al))/d;
  T Lu=F(lam,ln2down,V); T pp=neg?P.g2l:(ge*down)*ge; T br=F(pp,neg?lam:Lu,e*F(-P.g,Lu,P.h1)); br=smaller(large,br); br=(b*P.hp)*(br*P.hb); o[2]=(br/dd)*down; }
 INL void soft(const Plan<T>&P,bool sq,T x,T t,T wp,T wn,T*o){ U sg=tb(x)&((U)1<<(8*sizeof(T)-1)); bool neg=sg!=0; T other=1-t;  T lost=(1-other)-t; bool lt=t<(T).5; T base=lt?wn:wp, w=F(smaller(t,other),(lt?wp:wn)-base,base); T be=neg?t:other, th=neg?other:t; T Y=be*fabs(x); T A,p,k,f,e,small,lam,m; ex(x,magicFar,(T)c::far_,A,p,k,f); lg(A,p,e,small,lam,m);
  T el=(A-e)+A*p, share=be*up, pr=e*th, R=share+pr; T rest=smaller(share,pr)-(R-larger(share,pr)); rest=rest+F(el,th,F(e,th,-pr)); rest=F(neg?e:up,lost,rest);
  T d=1+small, dl=F(el,down,(1-d)+small), M=R/d, inv=1/R, low=F(-M,dl,F(-M,d,R)+rest)*inv;
  T b,B; if(sq){ b=(w*M)*(M*down); b=F(b,low+low,b); B=b*down; } else { U bits=tb(M); const T ml=(T)ldexp(1,c::MB); T kk=fb((U)(bits>>c::MB|tb(ml)))-(ml+(c::BIAS+c::SH)); T y=fb((U)((bits&(((U)1<<c::MB)-1))|tb(up)))-up; T s2=y*down; T yy=F(-y,s2,y); T mm=yy*poly(c::Log,c::nLog,s2,s2*s2); T h=F(mm,down,low*c::Log2E); B=pw<true>(P,w,kk,-y,h,b); }
  static const T largest=sizeof(T)==4?(T)3.4028234663852886e38:(T)1.7976931348623157e308;
  T Q=F(B,A,B*m); o[0]=F(Q,ln2down,larger(B*Y,Y-largest)); Y=be*smaller((T)c::maxsp,(T)fabs(x)); T D=F((T)2,share,-R); T delta=fb((U)(tb(F((T)-2,t,(T)1))^sg));  T ka=e*inv; ka=F(F(-ka,rest,el),inv,ka); ka=delta*ka; T gk=P.g*ka, gkl=F(P.gl,ka,P.gll*ka); T d1=d; d=up+e; T g=F(gkl,Q,F(gk,b*Y,B*D))/d; o[1]=fb((U)(tb(g)^sg));
  T dd=F(d1,dl+dl,d1*d1); T eh=e*hup, kh=eh*inv; kh=F(F(-kh,R,eh)+F(-kh,rest,el*hup),inv,kh); kh=delta*kh; T gh=F(P.hi,kh,P.lo*kh); T TT=F(P.gm1,kh*hdn,small-1); T D2=D-rest; T br=F(Y*up,TT,F(c::Ln2*(A+m),TT,D2+D2)); br=F(gh,br*hdn,e); br=smaller(large,br); br=(b*P.hp)*(br*P.hb); o[2]=(br/dd)*down; o[3]=((B*F((T)0,Y,e))/dd)*down; g=(B*F((T)0,Y,D))/d; o[4]=fb((U)(tb(g)^sg)); }
 INL T sigm(T u){ T A,p,k,f; ex(u,magicFar,(T)c::far_,A,p,k,f); bool neg=signbit(u); T A1=A*down; int i=tb(F(A1,(T)7,powMin))&7; T r=c::Recip[i]; T S=A1*r; T z=F(S,p,S+(r-1)); T v=((neg?p:(T)0)-z)/(1+z); S=(neg?A:up)*r; S=F(S,v,S); return F(S,down,0*smaller((T)c::maxsp,larger((T)0,u))); }
 INL T softp(T u){ T A,p,k,f,e,s,l,m; ex(u,magicFar,(T)c::far_,A,p,k,f); lg(A,p,e,s,l,m); return F(l,ln2down,larger((T)0,u)); }
};
