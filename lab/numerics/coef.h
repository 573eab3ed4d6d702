#pragma once
#include <stdint.h>
template<class T> struct C;
template<> struct C<float>{
 static inline float Log2E=0x1.715476p0;
 static inline float Log2ELo=0x1.4ae0cp-26;
 static inline float Ln2=0x1.62e43p-1;
 static constexpr int nNode=8; static inline float Node[8]={(float)0,(float)-0x1.70068ep-5,(float)-0x1.269e12p-4,(float)-0x1.59d4f8p-4,(float)-0x1.5c01a4p-4,(float)-0x1.350048p-4,(float)-0x1.d5d9fep-5,(float)-0x1.053f6ep-5};
 static constexpr int nExp=4; static inline float Exp[4]={(float)0x1.62e43p-1,(float)0x1.ebfc5p-3,(float)0x1.c6b196p-5,(float)0x1.33e488p-7};
 static constexpr int nLog=9; static inline float Log[9]={(float)0x1.c551d8p-2,(float)-0x1.1d5642p-2,(float)0x1.9e045ep-3,(float)-0x1.426872p-3,(float)0x1.fd2548p-4,(float)-0x1.72c88ap-4,(float)0x1.ae97a6p-5,(float)-0x1.48aeb4p-6,(float)0x1.d727cp-9};
 static constexpr int nPow=6; static inline float Pow[6]={(float)0x1.62e43p-1,(float)0x1.ebfbdep-3,(float)0x1.c6af9ap-5,(float)0x1.3b2c54p-7,(float)0x1.5ef7b6p-10,(float)0x1.427ffep-13};
 static constexpr int nRecip=8; static inline float Recip[8]={(float)0x1p0,(float)0x1.c6p-1,(float)0x1.94p-1,(float)0x1.6cp-1,(float)0x1.4cp-1,(float)0x1.34p-1,(float)0x1.12p-1,(float)0x1p-1};
 static constexpr int nLogRecip=8; static inline float LogRecip[8]={(float)0,(float)0x1.ec7398p-4,(float)0x1.e530fp-3,(float)0x1.5d5bdep-2,(float)0x1.bb9612p-2,(float)0x1.04360cp-1,(float)0x1.4019c2p-1,(float)0x1.62e43p-1};
 static constexpr int nLog1p=4; static inline float Log1p[4]={(float)-0x1.ffff88p-2,(float)0x1.55553p-2,(float)-0x1.012fc2p-2,(float)0x1.9afb7p-3};
 static constexpr int MB=23,NB=3,SH=76,BIAS=127; static constexpr double near_=87,far_=140.05,maxsp=256,maxg=0x1p32,maxw=0x1p40; typedef uint32_t U;
};
template<> struct C<double>{
 static inline double Log2E=0x1.71547652b82fep0;
 static inline double Log2ELo=0x1.777d0ffda0d24p-56;
 static inline double Ln2=0x1.62e42fefa39efp-1;
 static constexpr int nNode=8; static inline double Node[8]={(double)0,(double)-0x1.70068e7ef5a1ep-5,(double)-0x1.269e12f346e2cp-4,(double)-0x1.59d4f80cba83cp-4,(double)-0x1.5c01a39fbd688p-4,(double)-0x1.35004723c465ep-4,(double)-0x1.d5d9fd5010b36p-5,(double)-0x1.053f6d2608967p-5};
 static constexpr int nExp=8; static inline double Exp[8]={(double)0x1.62e42fefa39efp-1,(double)0x1.ebfbdff82c589p-3,(double)0x1.c6b08d7049a85p-5,(double)0x1.3b2ab6fbb47a4p-7,(double)0x1.5d87febfc08e4p-10,(double)0x1.430920ab280b8p-13,(double)0x1.ffb4fda14ef98p-17,(double)0x1.59e8b6c706748p-20};
 static constexpr int nLog=20; static inline double Log[20]={(double)0x1.c551d94ae0bf8p-2,(double)-0x1.1d57135a8f852p-2,(double)0x1.9e3314d20234ap-3,(double)-0x1.4475d7cc7b88dp-3,(double)0x1.0a77b1811c66fp-3,(double)-0x1.c3f1ba96834ap-4,(double)0x1.883b99a8cbb78p-4,(double)-0x1.5a60af76db7ap-4,(double)0x1.35e366de346fep-4,(double)-0x1.17737ef7a9267p-4,(double)0x1.f739e0f637becp-5,(double)-0x1.bbe7da08c421bp-5,(double)0x1.73b23c3be6ed5p-5,(double)-0x1.1b1db0f16d352p-5,(double)0x1.75ac4beef3679p-6,(double)-0x1.959e028ea4d3cp-7,(double)0x1.558ffeb532543p-8,(double)-0x1.9d8626579fae2p-10,(double)0x1.3da9697daf83ep-12,(double)-0x1.ceb67960b3c48p-16};
 static constexpr int nPow=11; static inline double Pow[11]={(double)0x1.62e42fefa39efp-1,(double)0x1.ebfbdff82c599p-3,(double)0x1.c6b08d704a1abp-5,(double)0x1.3b2ab6fba1bdcp-7,(double)0x1.5d87fe78809abp-10,(double)0x1.43091309e941cp-13,(double)0x1.ffcbfcff5203ap-17,(double)0x1.62bfd318bbeeap-20,(double)0x1.b523e18aca179p-24,(double)0x1.e608e61f771c3p-28,(double)0x1.eb5222fe8303dp-32};
 static constexpr int nRecip=8; static inline double Recip[8]={(double)0x1p0,(double)0x1.c29968p-1,(double)0x1.932938p-1,(double)0x1.6b7548p-1,(double)0x1.4a57b8p-1,(double)0x1.30d21p-1,(double)0x1.1b2308p-1,(double)0x1.080fdp-1};
 static constexpr int nLogRecip=8; static inline double LogRecip[8]={(double)0,(double)0x1.059fd7038e31p-3,(double)0x1.e972dc96a4fp-3,(double)0x1.5ee266487220fp-2,(double)0x1.c0b5f914c0874p-2,(double)0x1.09861e15a068dp-1,(double)0x1.2f4e4e84a1711p-1,(double)0x1.530438a8cfe9ap-1};
 static constexpr int nLog1p=11; static inline double Log1p[11]={(double)-0x1.0000000000001p-1,(double)0x1.5555555555566p-2,(double)-0x1.fffffffffc85dp-3,(double)0x1.999999997b695p-3,(double)-0x1.55555565e69a5p-3,(double)0x1.249249c0155f7p-3,(double)-0x1.ffffb952ca3b7p-4,(double)0x1.c7199add9375ap-4,(double)-0x1.99de8c44f0452p-4,(double)0x1.776c8f378ab07p-4,(double)-0x1.3d3c045cdeaeap-4};
 static constexpr int MB=52,NB=3,SH=550,BIAS=1023; static constexpr double near_=708,far_=1089.66,maxsp=2048,maxg=0x1p113,maxw=0x1p400; typedef uint64_t U;
};
