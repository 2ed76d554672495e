# SPDX-License-Identifier: MIT
"""Describes the machine, and how quiet it was."""

import os
import platform
import subprocess

# Settings of the environment that change what an allocator does: reported, since a figure is nothing without them.
ALLOCATOR_SETTINGS = ("COPSE_OPTIONS", "GLIBC_TUNABLES", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "JEMALLOC_")


def first_line(path, otherwise="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return otherwise


def field_of(path, name, otherwise="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":" if ":" in line else "=")
                if key.strip() == name:
                    return value.strip().strip('"')
    except OSError:
        pass
    return otherwise


def stolen_ticks():
    """(stolen, all) ticks since boot: what a hypervisor gave to others while this machine wanted to run."""
    words = first_line("/proc/stat", "cpu 0").split()[1:]
    ticks = [int(w) for w in words[:8]] + [0] * 8
    return ticks[7], sum(ticks[:8])


def settings():
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(ALLOCATOR_SETTINGS)}


def describe():
    model = field_of("/proc/cpuinfo", "model name", "")
    if not model:
        model = platform.machine()
    memory = int(field_of("/proc/meminfo", "MemTotal", "0 kB").split()[0]) // 1024
    return {
        "processor": model,
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory} MB",
        "page": f"{os.sysconf('SC_PAGE_SIZE')} B",
        "system": field_of("/etc/os-release", "PRETTY_NAME"),
        "kernel": platform.release(),
        "huge pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "settings": " ".join(f"{k}={v}" for k, v in settings().items()) or "none",
    }


def load():
    return os.getloadavg()[0]


def warm(binary, size):
    """Touches that much memory in a throwaway process: the first user of a machine's memory pays for the hypervisor's
    work too, so that the order of runs alone would decide who fills fast."""
    subprocess.run([binary, "--warm", size], check=False, timeout=300)
