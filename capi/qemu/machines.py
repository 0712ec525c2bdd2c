#!/usr/bin/env python3
"""Moves a machine between a QEMU on the library and an unmodified one, and back in time.

Usage: machines.py LIBRARY UNMODIFIED FOLDER

The machine has memory and a disk (qcow2) with known contents. It migrates from LIBRARY to UNMODIFIED and
back. Each time both are compared, changed and moved on. Then a snapshot is saved by the one, memory and disk
are overwritten, and the snapshot is loaded by the other.
"""
import atexit
import json
import os
import random
import socket
import subprocess
import sys
import time

library, unmodified, folder = sys.argv[1:]
MEMORY = 32 << 20
os.makedirs(folder, exist_ok=True)
image = f"{folder}/disk.qcow2"


def called(program):
    return "the library" if program == library else "an unmodified QEMU"


class Connection:
    """A socket of lines, which the process makes when it is ready."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(1000):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.02)
        self.lines = self.socket.makefile("rw")

    def ask(self, line):
        self.lines.write(line + "\n")
        self.lines.flush()
        return self.lines.readline()


class Machine:
    count = 0

    def __init__(self, program, *options, disk=True):
        Machine.count += 1
        self.reads = 0
        self.name = f"{folder}/{Machine.count}"
        for end in ("qmp", "qtest", "incoming"):
            if os.path.exists(f"{self.name}.{end}"):
                os.unlink(f"{self.name}.{end}")
        command = [program, "-machine", "pc", "-accel", "qtest", "-m", "32M", "-display", "none",
                   "-qtest", f"unix:{self.name}.qtest,server=on,wait=off", "-qtest-log", "/dev/null",
                   "-qmp", f"unix:{self.name}.qmp,server=on,wait=off"]
        if disk:
            command += ["-drive", f"id=disk,file={image},format=qcow2,if=none",
                        "-device", "virtio-blk-pci,drive=disk"]
        # qemu-io prints there what it reads, and whether that is as it should be.
        self.log = open(f"{self.name}.log", "w+")
        self.process = subprocess.Popen(command + [o.format(self.name) for o in options], stdout=self.log)
        atexit.register(self.process.kill)
        self.monitor = Connection(f"{self.name}.qmp")
        self.monitor.lines.readline()
        self.qmp("qmp_capabilities")
        self.qtest = Connection(f"{self.name}.qtest")

    def qmp(self, command, **arguments):
        self.monitor.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.monitor.lines.flush()
        while True:
            answer = json.loads(self.monitor.lines.readline())
            if "error" in answer:
                raise SystemExit(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def hmp(self, line):
        answer = self.qmp("human-monitor-command", **{"command-line": line})
        if "rror" in answer or "failed" in answer:
            raise SystemExit(f"{line}: {answer}")
        return answer

    def fill(self, seed):
        """Other contents of memory, a pattern a page, and of the disk."""
        pages = random.Random(seed)
        for page in range(1 << 20, MEMORY, 4096):
            self.qtest.ask(f"memset {page:#x} 4096 {pages.randrange(4) * pages.randrange(256):#x}")
        for at in range(0, 8 << 20, 1 << 20):
            self.hmp(f'qemu-io disk "write -P {pages.randrange(256)} {at} 700k"')

    def check(self, seed):
        pages = random.Random(seed)
        for page in range(1 << 20, MEMORY, 4096):
            value = pages.randrange(4) * pages.randrange(256) & 0xff
            if page % 0x10000 == 0:
                read = self.qtest.ask(f"read {page:#x} 4096").split()[1]
                if bytes.fromhex(read[2:]) != bytes([value]) * 4096:
                    raise SystemExit(f"memory at {page:#x} is not what it was")
        for at in range(0, 8 << 20, 1 << 20):
            self.hmp(f'qemu-io disk "read -P {pages.randrange(256)} {at} 700k"')
            self.reads += 1

    def migrate(self, program):
        other = Machine(program, "-incoming", "unix:{}.incoming")
        self.qmp("migrate", uri=f"unix:{other.name}.incoming")
        while (state := self.qmp("query-migrate")["status"]) != "completed":
            if state in ("failed", "cancelled"):
                raise SystemExit("the migration failed")
            time.sleep(0.05)
        self.quit()
        while other.qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.05)
        return other

    def quit(self):
        self.qmp("quit")
        self.process.wait()
        self.log.seek(0)
        log = self.log.read()
        if "failed" in log or log.count("read 716800/716800") != self.reads:
            raise SystemExit(f"the disk is not what it was: {log}")


if os.path.exists(image):
    os.unlink(image)
maker = Machine(library, disk=False)
open(image, "w").close()
maker.qmp("blockdev-add", driver="file", filename=image, **{"node-name": "file"})
disk = {"driver": "qcow2", "file": "file", "size": 64 << 20}
maker.qmp("blockdev-create", **{"job-id": "make"}, options=disk)
while maker.qmp("query-jobs")[0]["status"] != "concluded":
    time.sleep(0.05)
if "error" in maker.qmp("query-jobs")[0]:
    raise SystemExit(f"no disk: {maker.qmp('query-jobs')[0]['error']}")
maker.quit()

machine = Machine(library)
for seed, program in enumerate((unmodified, library, library, unmodified)):
    machine.fill(seed)
    machine = machine.migrate(program)
    machine.check(seed)
    print("migrated to", called(program), flush=True)
machine.quit()

for one, other in ((library, unmodified), (unmodified, library), (library, library)):
    machine = Machine(one)
    machine.fill(7)
    machine.hmp("savevm before")
    machine.fill(8)
    machine.check(8)
    machine.quit()
    machine = Machine(other)
    machine.hmp("loadvm before")
    machine.check(7)
    machine.hmp("delvm before")
    machine.quit()
    print("snapshot saved by", called(one), "and loaded by", called(other), flush=True)
