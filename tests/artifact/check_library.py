#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what libspyglass.so exports, imports and needs with what is written down.

usage: check_library.py LIBRARY SOURCE_ROOT

Exports are the two hooks and preload/hooked_functions.inc; imports and NEEDED are in lists here.
"""
import pathlib
import re
import subprocess
import sys

# Not even a list may allow these: they lock, allocate, throw, or need a runtime that the program may
# not have.
NEVER = re.compile(
    r"malloc|calloc|realloc|free|posix_memalign|aligned_alloc|memalign|valloc|strdup|strndup"
    r"|_Z.*|__cxa_(?!finalize$).*|__gxx_.*|_Unwind_.*|backtrace.*"
    r"|pthread_(mutex|rwlock|cond|once|spin).*"
    r"|v?f?printf|fopen|fwrite|fputs|puts|exit|abort|system|popen|__tls_get_addr|__stack_chk_fail")
COMPILER_CALLED = {"__cyg_profile_func_enter", "__cyg_profile_func_exit"}
# What libc has in two versions, and we too; and what the link editor must not see, or a program that
# is linked with us and a static C++ runtime would get only half of that. Everything else answers to
# any version.
VERSIONED = {
    "pthread_cond_wait@GLIBC_2.2.5", "pthread_cond_wait@@GLIBC_2.3.2",
    "pthread_cond_timedwait@GLIBC_2.2.5", "pthread_cond_timedwait@@GLIBC_2.3.2",
    "__cxa_throw@CXXABI_1.3", "__cxa_rethrow@CXXABI_1.3", "__cxa_begin_catch@CXXABI_1.3",
    "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE@CXXABI_1.3.3",
    "_ZSt9terminatev@GLIBCXX_3.4",
    "_Znwm@GLIBCXX_3.4",
    "_Znam@GLIBCXX_3.4",
    "_ZnwmRKSt9nothrow_t@GLIBCXX_3.4",
    "_ZnamRKSt9nothrow_t@GLIBCXX_3.4",
    "_ZnwmSt11align_val_t@CXXABI_1.3.11",
    "_ZnamSt11align_val_t@CXXABI_1.3.11",
    "_ZnwmSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11",
    "_ZnamSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11",
    "_ZdlPv@GLIBCXX_3.4",
    "_ZdlPvm@CXXABI_1.3.9",
    "_ZdlPvRKSt9nothrow_t@GLIBCXX_3.4",
    "_ZdlPvSt11align_val_t@CXXABI_1.3.11",
    "_ZdlPvmSt11align_val_t@CXXABI_1.3.11",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11",
    "_ZdaPv@GLIBCXX_3.4",
    "_ZdaPvm@CXXABI_1.3.9",
    "_ZdaPvRKSt9nothrow_t@GLIBCXX_3.4",
    "_ZdaPvSt11align_val_t@CXXABI_1.3.11",
    "_ZdaPvmSt11align_val_t@CXXABI_1.3.11",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11"}
LARGEST_TLS_BYTES = 256  # static TLS is scarce: a library loaded late shares 1664 bytes with all others


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_list(path):
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def dynamic_symbols(library, *options):
    rows = output_of("nm", "-D", *options, library).splitlines()
    names = {row.split()[-1] for row in rows if row.strip()}
    return {name for name in names
            if not re.match(r"(GLIBC|GLIBCXX|CXXABI)_[0-9.]+$", name)}  # the versions themselves


def plain(names):
    return {name.split("@")[0] for name in names}


def check_exports(library, preload):
    symbols = dynamic_symbols(library, "--defined-only")
    exports = plain(symbols)
    hooked = set(re.findall(r"^SPYGLASS_HOOK\([^,]+,\s*(\w+)",
                            (preload / "hooked_functions.inc").read_text(), re.MULTILINE))
    expected = hooked | COMPILER_CALLED
    for name in sorted(exports ^ expected):
        yield f"{'exports' if name in exports else 'does not export'} {name}: not as hooked_functions.inc says"
    for name in sorted({name for name in symbols if "@" in name} ^ VERSIONED):
        yield f"has {name}: versions are not as they must be"


def check_imports(library, lists):
    imports = plain(dynamic_symbols(library, "--undefined-only"))
    allowed = read_list(lists / "allowed_imports.txt")
    for name in sorted(imports - allowed):
        yield f"imports {name}, which is not in allowed_imports.txt"
    for name in sorted(name for name in imports | allowed if NEVER.fullmatch(name)):
        yield f"{name} must never be imported or allowed"


def check_dynamic_section(library, lists):
    dynamic = output_of("readelf", "-dW", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
    if needed != (allowed := read_list(lists / "needed.txt")):
        yield f"needs {sorted(needed)}, the list says {sorted(allowed)}"
    for flag in ("NOW", "NODELETE"):
        if not re.search(rf"\bFlags:.*\b{flag}\b|\(FLAGS\).*\b{flag}\b", dynamic):
            yield f"is not linked with -z {flag.lower()}"
    for tag in ("TEXTREL", "RPATH", "RUNPATH"):
        if f"({tag})" in dynamic:
            yield f"has {tag}"
    if not re.search(r"\(SONAME\).*\[libspyglass\.so\]", dynamic):
        yield "has another SONAME than libspyglass.so"


def check_segments_and_tls(library):
    segments = output_of("readelf", "-lW", library)
    if "GNU_RELRO" not in segments:
        yield "has no RELRO segment"
    if re.search(r"GNU_STACK.*RWE", segments):
        yield "wants an executable stack"
    tls = re.search(r"^\s*TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", segments, re.MULTILINE)
    if tls and int(tls.group(1), 16) > LARGEST_TLS_BYTES:
        yield f"has {int(tls.group(1), 16)} bytes of TLS, more than {LARGEST_TLS_BYTES}"
    relocations = output_of("readelf", "-rW", library)
    for kind in ("DTPMOD", "DTPOFF", "TLSDESC"):
        if kind in relocations:
            yield f"has {kind} relocations: TLS that is not initial-exec calls into the loader"


def check_registers(library, preload):
    """The program's vector and x87 registers are its own, but those that it passes numbers in."""
    variadic = set(re.findall(r"^SPYGLASS_HOOK\([^,]+,\s*(\w*printf\w*),.*\.\.\.",
                              (preload / "hooked_functions.inc").read_text(), re.MULTILINE))
    function, touches = "?", set()
    for line in output_of("objdump", "-d", "--no-show-raw-insn", library).splitlines():
        if header := re.match(r"[0-9a-f]+ <([^.@>]+).*>:$", line):
            function = header.group(1)
        elif re.search(r"%[xyz]mm\d|%st\b|\tf(ld|st|ild|ist)", line):
            touches.add(function)
    for name in sorted(touches - variadic):
        yield f"touches vector or x87 registers in {name}"
    for name in sorted(variadic - touches):
        yield f"does not pass on numbers with a point in {name}"


def main():
    library, root = sys.argv[1], pathlib.Path(sys.argv[2])
    lists = root / "tests" / "artifact"
    wrong = [*check_exports(library, root / "preload"), *check_imports(library, lists),
             *check_dynamic_section(library, lists),
             *check_segments_and_tls(library), *check_registers(library, root / "preload")]
    for line in wrong:
        print(f"libspyglass.so {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
