# SPDX-License-Identifier: MIT
"""Finds the allocators: peers by the system's library paths, copse in its build tree or where it is installed."""

import json
import os
import re
import subprocess

from harness.refusal import Refusal

FOUND_PEERS = {
    "jemalloc": ["libjemalloc.so.2"],
    "mimalloc": ["libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0"],
    "tcmalloc": ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"],
}
COPSE = ("copse", "copse-sized", "copse-inline")


class Allocator:
    def __init__(self, name, binary, preload="", libraries="", found=True):
        self.name, self.binary, self.preload, self.libraries = name, binary, preload, libraries
        self.peer = name not in COPSE
        self.found = found  # by itself, not by name=path.so
        self.identity = {}

    def environment(self):
        env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        if self.preload:
            env["LD_PRELOAD"] = self.preload
        if self.libraries:
            env["LD_LIBRARY_PATH"] = self.libraries
        return env

    def described(self):
        return {"name": self.name, "peer": self.peer, "found": self.found, "file": self.identity.get("file", ""),
                "version": self.identity.get("version", ""), "compiler": self.identity.get("compiler", "")}


def ldconfig_paths():
    """soname -> path, of this machine's own word size."""
    paths = {}
    for tool in ("/sbin/ldconfig", "/usr/sbin/ldconfig", "ldconfig"):
        try:
            text = subprocess.run([tool, "-p"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        for soname, flags, path in re.findall(r"^\s*(\S+) \(([^)]*)\) => (\S+)$", text, re.M):
            if "64" in flags:
                paths.setdefault(soname, path)
        break
    return paths


def library_directories():
    triplet = f"{os.uname().machine}-linux-gnu"
    return [f"/usr/local/lib/{triplet}", "/usr/local/lib", f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib64",
            "/usr/lib"]


def find_library(sonames):
    known = ldconfig_paths()
    for soname in sonames:
        for path in [known.get(soname)] + [os.path.join(d, soname) for d in library_directories()]:
            if path and os.path.exists(path):
                return path
    return None


def real_binary(build, name):
    """The program itself, not libtool's wrapper: a shell before each measurement would cost more than many of them."""
    path = os.path.join(build, "bench", name)
    try:
        with open(path, "rb") as file:
            wrapped = file.read(2) == b"#!"
    except OSError:
        return None
    return os.path.join(build, "bench", ".libs", name) if wrapped else path


def find_build(given, source):
    if given:
        candidates = [given]
    else:
        here = os.getcwd()
        candidates = [here, os.path.dirname(here), os.path.join(here, "build", "release"),
                      os.path.join(source, "build", "release"), source]
    for build in candidates:
        if real_binary(build, "workloads"):
            return os.path.abspath(build)
    where = given or "here or in build/release"
    raise Refusal(f"there is no bench/workloads {where}: build copse first (make), or say --build DIR")


def copse_directory(given, build):
    """Where libcopse-malloc.so is."""
    if given:
        triplet = f"{os.uname().machine}-linux-gnu"
        places = [os.path.join(given, d) for d in ("", "lib/.libs", f"lib/{triplet}", "lib", ".libs")]
    else:
        places = [os.path.join(build, "lib/.libs")]
    for place in places:
        if os.path.exists(os.path.join(place, "libcopse-malloc.so")):
            return os.path.abspath(place)
    if given:
        raise Refusal(f"--copse {given}: no libcopse-malloc.so there")
    return None


def parse_given(words):
    given = []
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9._+-]+", name) or not path:
            raise Refusal(f"'{word}' is not name=path.so")
        if name in COPSE or name == "glibc" or name in FOUND_PEERS:
            raise Refusal(f"'{word}': the name {name} is taken")
        if name in [n for n, _ in given]:
            raise Refusal(f"'{word}': the name {name} is there twice")
        if not os.path.isfile(path):
            raise Refusal(f"{name}: there is no file {path}")
        given.append((name, os.path.abspath(path)))
    return given


def identify(allocator):
    """Asks a process of it who serves it.  Returns what is wrong, or None."""
    try:
        run = subprocess.run([allocator.binary, "--identify"], env=allocator.environment(), capture_output=True,
                             text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        return lines[-1] if lines else f"its first process ended with {run.returncode}"
    allocator.identity = json.loads(run.stdout)
    really = os.path.realpath(allocator.identity["file"])
    if allocator.preload and really != os.path.realpath(allocator.preload):
        return f"{allocator.preload} does not replace malloc (which comes from {really})"
    if allocator.libraries and os.path.dirname(really) != os.path.realpath(allocator.libraries):
        return f"libcopse.so comes from {really}, not from {allocator.libraries}"
    return None


def find_all(build, copse, given, only=None):
    """Returns the allocators and a list of what is missing, each with its reason."""
    plain = real_binary(build, "workloads")
    wanted, missing = [Allocator("glibc", plain)], []
    for name, sonames in FOUND_PEERS.items():
        path = find_library(sonames)
        if path:
            wanted.append(Allocator(name, plain, preload=path))
        else:
            missing.append((name, f"no {sonames[0]} in the system's library paths"))
    wanted += [Allocator(name, plain, preload=path, found=False) for name, path in given]

    directory = copse_directory(copse, build)
    if directory:
        wanted.append(Allocator("copse", plain, preload=os.path.join(directory, "libcopse-malloc.so")))
        sized = real_binary(build, "workloads-sized")
        if sized and os.path.exists(os.path.join(directory, "libcopse.so")):
            wanted.append(Allocator("copse-sized", sized, libraries=directory))
        else:
            missing.append(("copse-sized", "no bench/workloads-sized or no libcopse.so"))
    else:
        missing += [(name, "no libcopse-malloc.so in the build tree") for name in COPSE[:2]]
    inline = real_binary(build, "workloads-inline")
    if inline:
        wanted.append(Allocator("copse-inline", inline))
    else:
        missing.append(("copse-inline", "no bench/workloads-inline"))

    ready = []
    for allocator in wanted:
        if only and not re.search(only, allocator.name):
            continue
        wrong = identify(allocator)
        if wrong and not allocator.found:
            raise Refusal(f"{allocator.name}: {wrong}")
        if wrong:
            missing.append((allocator.name, wrong))
        else:
            ready.append(allocator)
    if only:
        missing = [m for m in missing if re.search(only, m[0])]
    return ready, missing
