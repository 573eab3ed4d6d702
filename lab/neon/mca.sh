#!/bin/bash
# usage: mca.sh binary cpu... ; sums of the innermost loops
python3 - "$@" <<'P'
import subprocess,sys,re,tempfile,os
obj=sys.argv[1]; cpus=sys.argv[2:]; pat=os.environ.get('K','')
syms=subprocess.run(['llvm-nm-19' ,obj],capture_output=True,text=True).stdout
names=[l.split()[2] for l in syms.splitlines() if re.search(r'focal\.\w*'+pat+r'\w*NEON\.abi0$',l)]
for sym in sorted(names):
    out=subprocess.run(['llvm-objdump-19','-d','--no-show-raw-insn','--disassemble-symbols='+sym,obj],capture_output=True,text=True).stdout
    code=[]
    for l in out.splitlines():
        m=re.match(r'\s*([0-9a-f]+):\s+(.*)',l)
        if m: code.append((int(m.group(1),16),re.sub('<[^>]*>','',m.group(2)).split('//')[0].strip()))
    idx={a:i for i,(a,_) in enumerate(code)}
    loops=[]
    for i,(a,t) in enumerate(code):
        m=re.match(r'(?:b\.?\w*|cbn?z\s+\w+,)\s+(?:0x)?([0-9a-f]+)',t)
        if m:
            k=idx.get(int(m.group(1),16))
            if k is not None and 4<k<i and not any(k<=j for j,_ in loops): loops.append((k,i))
    n=16 if 'F32' in sym else 8
    s=f"{sym.split('.')[-2]:24} {sum(i-k for k,i in loops)/4:6.1f}/vec"
    for cpu in cpus:
        tb=tc=0; parts=[]
        for k,i in loops:
            f=tempfile.NamedTemporaryFile('w',suffix='.s',delete=False); f.write('\n'.join(t for _,t in code[k:i])+'\n'); f.close()
            r=subprocess.run(['llvm-mca-19','-mcpu='+cpu,'-iterations=100',f.name,'-march=aarch64','-noalias'],capture_output=True,text=True); rep=r.stdout
            if not rep: print(r.stderr[:300])
            cyc=float(re.search(r'Total Cycles:\s+(\d+)',rep).group(1))/100
            pipes=re.findall(r"^\[[\d.]+\]\s+- (\w+?)\d*$",rep,re.M); pr=re.search(r"Resource pressure per iteration:\n.*\n(.*)",rep).group(1).split(); sh={}
            for p,v in zip(pipes,pr): sh.setdefault(p,[]).append(0 if v=='-' else float(v))
            tb+=max(sum(p)/len(p) for p in sh.values())/n; tc+=cyc/n; parts.append(f'{max(sum(p)/len(p) for p in sh.values())/n:.2f}>{cyc/n:.2f}')
            os.unlink(f.name)
        s+=f" | {cpu} {tb:.2f} {tc:.2f} "+('('+' '.join(parts)+')' if len(parts)>1 else '')
    print(s)
P
