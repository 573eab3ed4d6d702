import subprocess,sys,re
obj,name,out=sys.argv[1:4]
sym='github.com/gofocal/focal.'+name+'.abi0'
o=subprocess.run(['llvm-objdump-19','-d','--no-show-raw-insn','--disassemble-symbols='+sym,obj],capture_output=True,text=True).stdout
code=[]
for l in o.splitlines():
    m=re.match(r'\s*([0-9a-f]+):\s+(.*)',l)
    if m: code.append((int(m.group(1),16),re.sub('<[^>]*>','',m.group(2)).split('//')[0].strip()))
idx={a:i for i,(a,_) in enumerate(code)}
loops=[]
for i,(a,t) in enumerate(code):
    m=re.match(r'(?:b\.?\w*|cbn?z\s+\w+,)\s+(?:0x)?([0-9a-f]+)',t)
    if m:
        k=idx.get(int(m.group(1),16))
        if k is not None and 4<k<i and not any(k<=j for j,_ in loops): loops.append((k,i))
for n,(k,i) in enumerate(loops): open(f'{out}{n+1}.s','w').write('\n'.join(t for _,t in code[k:i])+'\n')
