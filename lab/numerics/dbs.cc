#include <math.h>
#include <stdio.h>
#include "kd.h"
int main(int ac,char**av){ float x=strtof(av[1],0),t=strtof(av[2],0); GG=strtod(av[3],0); WP=strtod(av[4],0); WN=strtod(av[5],0); Plan<float> P=plan<float>(GG); float o[5]; K<float>::softd(P,av[6][0]=='q',x,t,WP,WN,o); auto r=sref(x,t,GG,WP,WN); printf("loss %.3f grad %.3f hess %.3f curv %.3f\n",err32(o[0],r.loss,r.loss),err32(o[1],r.grad,r.gmag),err32(o[2],r.hess,r.hmag),err32(o[3],r.curv,r.curv)); }
