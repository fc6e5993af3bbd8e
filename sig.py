import pty, os, time, signal, sys, select
pid, fd = pty.fork()
if pid == 0:
    os.execvp("robolearn", ["robolearn","train","tiny.yaml","learning.generations=4000","--out","sig"])
out=b""; t=time.time(); sent=False
while True:
    r,_,_=select.select([fd],[],[],0.2)
    if r:
        try: d=os.read(fd,65536)
        except OSError: break
        if not d: break
        out+=d
    if not sent and b"generation" in out and time.time()-t>3:
        os.write(fd,b"\x03"); sent=True
print(os.waitstatus_to_exitcode(os.waitpid(pid,0)[1])); print(repr(out[-600:]))
