"""Runs a program inside a root file system (Linux). Executed as a script: the standard library only.

    python -I -S enter.py <status fd> <specification as JSON>

The program's environment is given with every name prefixed by `_`, so that what it says (LD_PRELOAD and the
like) does not touch this script. What goes wrong before the program runs is written to the status file
descriptor, which the program does not inherit: nothing there means that the program runs.
"""

# ruff: noqa: PTH103, PTH110, PTH120, PTH123 - importing pathlib would take longer than all the rest

from __future__ import annotations

import ctypes
import json
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
SIGKILL = 9
SHARED = ("/proc", "/sys", "/dev")
FILES = ("/etc/resolv.conf", "/etc/hosts")

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Enter and execute; never returns."""
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    try:
        specification = json.loads(sys.argv[2])
        if specification.get("join"):
            join(int(specification["join"]), users=specification["users"])
        else:
            enter(specification)
        run(specification)
    except Exception as error:  # noqa: BLE001 - the program does not run
        os.write(status, str(error).encode())
        os._exit(126)


def enter(specification: dict[str, object]) -> None:
    """Make the file system's own view and change the root to it."""
    target, mode = str(specification["target"]), specification["mode"]
    if mode == "chroot":
        os.chroot(target)
        return
    isolate(users=bool(specification["users"]))
    if mode == "overlay":
        layers = {"lowerdir": specification["lower"], "upperdir": specification["upper"]}
        layers["workdir"] = specification["work"]
        options = ",".join(f"{key}={escaped(str(value))}" for key, value in layers.items())
        if specification["users"]:
            options += ",userxattr"
        mount("overlay", target, "overlay", 0, options)
    for folder in SHARED:
        share(folder, target + folder, is_folder=True)
    for file in FILES:
        share(file, target + file, is_folder=False)
    os.chroot(target)


def join(pid: int, *, users: bool) -> None:
    """Enter where another process already is."""
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY)
    kinds = (("user", CLONE_NEWUSER), ("mnt", CLONE_NEWNS)) if users else (("mnt", CLONE_NEWNS),)
    spaces = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in kinds]
    for space, kind in spaces:
        check(_libc.setns(space, kind), "setns")
    os.fchdir(root)
    os.chroot(".")


def run(specification: dict[str, object]) -> None:
    """Become the program."""
    folder = str(specification["folder"])
    if not specification.get("join"):
        os.makedirs(folder, exist_ok=True)
    uid, gid, groups = specification["uid"], specification["gid"], specification["groups"]
    if uid or gid:
        os.setgroups(groups)  # type: ignore[arg-type]
        os.setgid(gid)  # type: ignore[arg-type]
        os.setuid(uid)  # type: ignore[arg-type]
    os.chdir(folder)
    # Changes of user and namespace clear what the parent had asked the kernel for.
    _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != specification["parent"]:
        os._exit(1)
    environment = {name[1:]: value for name, value in os.environ.items() if name.startswith("_")}
    argv = [str(word) for word in specification["argv"]]  # type: ignore[attr-defined]
    execute(argv, environment)


def execute(argv: list[str], environment: dict[str, str]) -> None:
    """Execute a command found on PATH.

    What `os` has for this imports modules, which are out of reach by now.
    """
    if "/" in argv[0]:
        os.execve(argv[0], argv, environment)  # noqa: S606 - a container's command line needs no shell
    refused: OSError = FileNotFoundError(2, f'exec: "{argv[0]}": executable file not found in $PATH')
    for folder in environment.get("PATH", "/bin:/usr/bin").split(":"):
        try:
            os.execve(f"{folder or '.'}/{argv[0]}", argv, environment)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = error
    raise refused


def isolate(*, users: bool) -> None:
    """Leave the host's mount namespace; as an ordinary user by way of a user namespace."""
    uid, gid = os.geteuid(), os.getegid()
    check(_libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if users else 0)), "unshare")
    if users:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    mount("none", "/", "", MS_REC | MS_PRIVATE, "")


def share(source: str, target: str, *, is_folder: bool) -> None:
    """Show a file or folder of the host; a root file system that cannot take it goes without."""
    try:
        if is_folder:
            os.makedirs(target, exist_ok=True)
        elif not os.path.exists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "a", encoding="ascii"):
                pass
        mount(os.path.realpath(source), os.path.realpath(target), "", MS_BIND | MS_REC, "")
    except OSError:
        pass


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """Attach a file system.

    Raises:
        OSError: The kernel refused.
    """
    words = [text.encode() if text else None for text in (source, target, kind, options)]
    check(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def check(result: int, what: str) -> None:
    """Raise the error of a call that failed."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def escaped(path: str) -> str:
    """Return a path as overlayfs wants it in its options."""
    for character in "\\,:":
        path = path.replace(character, "\\" + character)
    return path


if __name__ == "__main__":
    main()
