import re,sys
s=open('/tmp/w/num/internal/coef/coef.go').read()
out=[]
for typ,ct in (('F32','float'),('F64','double')):
    b=s[s.index('var %s ='%typ):]; b=b[:b.index('\n}\n')]
    out.append('template<> struct C<%s>{'%ct)
    for m in re.finditer(r'(\w+):\s*(\[[0-9]*\]float\d\d\{(.*?)\}|[^,\n]+),',b):
        n=m.group(1)
        if m.group(3) is not None:
            v=m.group(3).split(', '); 
            out.append(' static constexpr int n%s=%d; static inline %s %s[%d]={%s};'%(n,len(v),ct,n,len(v),','.join(('(%s)'%ct)+x for x in v)))
        else: out.append(' static inline %s %s=%s;'%(ct,n,m.group(2)))
    if ct=='float': out.append(' static constexpr int MB=23,NB=3,SH=76,BIAS=127; static constexpr double near_=87,far_=140.05,maxsp=256,maxg=0x1p32,maxw=0x1p40; typedef uint32_t U;')
    else: out.append(' static constexpr int MB=52,NB=3,SH=550,BIAS=1023; static constexpr double near_=708,far_=1089.66,maxsp=2048,maxg=0x1p113,maxw=0x1p400; typedef uint64_t U;')
    out.append('};')
open('/tmp/w/numlab/coef.h','w').write('#pragma once\n#include <stdint.h>\ntemplate<class T> struct C;\n'+'\n'.join(out)+'\n')
