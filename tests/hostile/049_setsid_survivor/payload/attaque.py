import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        words = ["python3", "-c", "import signal,time\nsignal.signal(15, signal.SIG_IGN)\n"
                 "while True: time.sleep(1)", "survivant-049"]
        os.execvp("python3", words)
    os._exit(0)
time.sleep(600)
