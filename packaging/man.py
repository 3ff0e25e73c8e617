#!/usr/bin/env python3
"""The manual page and the completion of bash, from what the program says of itself: `man.py PROGRAM FOLDER`."""

import gzip
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "100"}


def help_of(command):
    """What `--help` prints, as lines."""
    told = subprocess.run([PROGRAM, *command, "--help"], check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return told.stdout.rstrip().split("\n")


def commands_in(lines):
    """Names of the commands below this one."""
    at = lines.index("Commands:") if "Commands:" in lines else len(lines)
    found = []
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        name = re.match(r"  ([a-z0-9-]+)(\s|$)", line)
        if name:
            found.append(name.group(1))
    return found


def tree():
    """All commands with their help, the parent first."""
    waiting, found = [[]], []
    while waiting:
        command = waiting.pop(0)
        lines = help_of(command)
        below = [[*command, name] for name in commands_in(lines) if name != "help"]
        found.append((command, lines, below))
        waiting = below + waiting
    return found


def escaped(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def manual(found):
    when = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    version = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    page = [f'.TH AMTSBOTE 1 "{when:%Y-%m-%d}" "Amtsbote {version}" "User Commands"']
    for command, lines, _ in found:
        if not command:
            about = lines[0].split(":")[-1].strip()
            page += [".SH NAME", f"amtsbote \\- {escaped(about)}", ".SH DESCRIPTION", ".nf"]
        else:
            page += [f'.SH "AMTSBOTE {" ".join(command).upper()}"', ".nf"]
        page += [escaped(line) for line in lines] + [".fi"]
    page += [
        ".SH FILES", ".TP", ".I /etc/amtsbote/amtsbote.toml", "Configuration of the service.",
        ".TP", ".I /var/lib/amtsbote", "Its store and keys.",
        ".SH SEE ALSO", "/usr/share/doc/amtsbote/OPERATIONS.md", "",
    ]
    return "\n".join(page)


def completion(found):
    """Names of commands, and files behind them."""
    cases = []
    for command, _, below in found:
        if below:
            names = " ".join(name[-1] for name in below)
            cases.append(f"        '{' '.join(command)}') words='{names}' ;;")
    return "\n".join([
        "# bash completion of amtsbote: its commands, and files",
        "_amtsbote() {",
        "    local word path='' words='' at",
        "    for ((at = 1; at < COMP_CWORD; at++)); do",
        "        word=${COMP_WORDS[at]}",
        "        case $word in",
        "            --config | --lang) ((at++)) ;;",
        "            -*) ;;",
        "            *) path=${path:+$path }$word ;;",
        "        esac",
        "    done",
        "    case $path in",
        *cases,
        "    esac",
        '    [[ ${COMP_WORDS[COMP_CWORD]} != -* ]] || words="--config --json --lang --help"',
        '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")',
        "}",
        "complete -o default -F _amtsbote amtsbote",
        "",
    ])


def main():
    found = tree()
    man = FOLDER / "usr/share/man/man1"
    man.mkdir(parents=True)
    # Without a time of its own, so that the same source gives the same bytes.
    (man / "amtsbote.1.gz").write_bytes(gzip.compress(manual(found).encode(), 9, mtime=0))
    bash = FOLDER / "usr/share/bash-completion/completions"
    bash.mkdir(parents=True)
    (bash / "amtsbote").write_text(completion(found))


main()
