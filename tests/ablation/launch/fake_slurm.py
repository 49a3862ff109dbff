"""A queue that behaves as SLURM does towards submitit: sbatch, squeue's accounting, scancel.

Jobs run on this machine as soon as what they depend on has ended well; with
``--kill-on-invalid-dep=yes`` those whose need failed leave the queue.
"""

import os
import stat
import sys
from pathlib import Path

SBATCH = r"""
import os, pathlib, re, shutil, subprocess, sys
home = pathlib.Path(os.environ["FAKE_SLURM"])
script = pathlib.Path(sys.argv[1]).read_text()
number = str(len(list(home.glob("*.sh"))) + 101)
(home / f"{number}.sh").write_text(script)
subprocess.Popen([sys.executable, str(home / "run.py"), number], start_new_session=True,
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(f"Submitted batch job {number}")
"""

RUN = r"""
import os, pathlib, re, subprocess, sys, time
home, number = pathlib.Path(os.environ["FAKE_SLURM"]), sys.argv[1]
script = (home / f"{number}.sh").read_text()
cancelled = home / f"{number}.cancelled"

def become(state):
    (home / f"{number}.new").write_text(state)
    os.replace(home / f"{number}.new", home / f"{number}.state")

found = re.search(r"--dependency=afterok:([\d:]+)", script)
become("PENDING")
for need in found[1].split(":") if found else []:
    while True:
        file = home / f"{need}.state"
        ended = file.read_text() if file.exists() else "PENDING"
        if cancelled.exists() or ended in ("FAILED", "CANCELLED"):
            become("CANCELLED")
            sys.exit(0)
        if ended == "COMPLETED":
            break
        time.sleep(0.05)
become("RUNNING")
job = subprocess.Popen(["bash", str(home / f"{number}.sh")], start_new_session=True,
    env=os.environ | {"SLURM_JOB_ID": number, "SLURM_LOCALID": "0", "SLURM_PROCID": "0",
    "SLURM_NODEID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1"})
(home / f"{number}.pid").write_text(str(job.pid))
while job.poll() is None:
    if cancelled.exists():
        os.killpg(job.pid, 9)
    time.sleep(0.05)
become("CANCELLED" if cancelled.exists() else "COMPLETED" if job.wait() == 0 else "FAILED")
"""

SRUN = r"""
import os, sys
words = sys.argv[1:]
out = {}
while words[0].startswith("-"):
    word = words.pop(0)
    if word in ("--output", "--error"):
        path = words.pop(0).replace("%j", os.environ["SLURM_JOB_ID"]).replace("%t", "0")
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1 if "out" in word else 2)
os.execvp(words[0], words)
"""

SACCT = r"""
import os, pathlib
home = pathlib.Path(os.environ["FAKE_SLURM"])
print("JobID|State|NodeList")
for file in home.glob("*.state"):
    print(f"{file.stem}|{file.read_text()}|here")
"""

SCANCEL = r"""
import os, pathlib, sys
for number in sys.argv[1:]:
    (pathlib.Path(os.environ["FAKE_SLURM"]) / f"{number}.cancelled").touch()
"""


def install(folder: Path) -> dict[str, str]:
    """Put the commands into a folder; returns the environment in which they are found."""
    home, programs = folder / "slurm", folder / "slurm-bin"
    home.mkdir()
    programs.mkdir()
    (home / "run.py").write_text(RUN)
    commands = {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SCANCEL}
    for name, source in commands.items():
        file = programs / name
        file.write_text(f"#!{sys.executable}\n{source}")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"FAKE_SLURM": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def scripts(folder: Path) -> dict[str, str]:
    """Job's number to what was submitted."""
    return {file.stem: file.read_text() for file in sorted((folder / "slurm").glob("*.sh"))}
