"""Packet filters: programs of the classic BPF machine (McCanne and Jacobson, USENIX 1993; linux/filter.h)."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.capture.contract import NO_LINK
from sakimori_packet_sensor.domain.capture.walking import signed

INSTRUCTION: Final = np.dtype([("code", "u2"), ("jt", "u1"), ("jf", "u1"), ("k", "u4")])
"""As libpcap makes it and the kernel takes it (struct sock_filter)."""
Program = npt.NDArray[np.void]
MAX_INSTRUCTIONS: Final = 4096
_MEMORY_WORDS: Final = 16

_LD, _LDX, _ST, _STX, _ALU, _JMP, _RET, _MISC = range(8)
_IMM, _ABS, _IND, _MEM, _LEN, _MSH = (mode << 5 for mode in range(6))
_WORD, _HALF, _BYTE = 0x00, 0x08, 0x10
_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _NEG, _MOD, _XOR = (operation << 4 for operation in range(11))
_JA, _JEQ, _JGT, _JGE, _JSET = (jump << 4 for jump in range(5))
_X, _A = 0x08, 0x10  # an operand that is a register: X of arithmetic and jumps, A of RET
_TXA = 0x80

_LOADS = {_LD | size | mode for size in (_WORD, _HALF, _BYTE) for mode in (_ABS, _IND)}
_CODES: Final = frozenset(
    _LOADS
    | {_LD | _IMM, _LD | _MEM, _LD | _LEN, _LDX | _IMM, _LDX | _MEM, _LDX | _LEN, _LDX | _MSH | _BYTE, _ST, _STX}
    | {_ALU | operation | operand for operation in range(0, 0xB0, 0x10) for operand in (0, _X) if operation != _NEG}
    | {_ALU | _NEG, _JMP | _JA, _RET, _RET | _A, _MISC, _MISC | _TXA}
    | {_JMP | jump | operand for jump in (_JEQ, _JGT, _JGE, _JSET) for operand in (0, _X)}
)


class BadProgram(ValueError):
    """This is no program that ends, or it does what the machine cannot."""


def checked(program: Program) -> Program:
    """Return the program if it is sound: it ends on every path, within its memory. Raises BadProgram."""
    if not 0 < len(program) <= MAX_INSTRUCTIONS:
        raise BadProgram(f"{len(program)} instructions")
    for place, (code, jt, jf, k) in enumerate(program.tolist()):
        rest = len(program) - place - 1
        if code not in _CODES:
            raise BadProgram(f"instruction {place}: unknown code {code:#x}")
        if code & 7 == _JMP and (k if code == _JMP | _JA else max(jt, jf)) >= rest:
            raise BadProgram(f"instruction {place}: jumps beyond the end")
        if code in {_LD | _MEM, _LDX | _MEM, _ST, _STX} and k >= _MEMORY_WORDS:
            raise BadProgram(f"instruction {place}: no memory word {k}")
        if code in {_ALU | _DIV, _ALU | _MOD} and k == 0:
            raise BadProgram(f"instruction {place}: divides by zero")
    if int(program["code"][-1]) & 7 != _RET:
        raise BadProgram("does not end with a return")
    return program


class PacketFilter:
    """One filter for packets of any link type: `compile_for` makes the program of a link type when the first comes."""

    def __init__(self, compile_for: Callable[[int], Program]) -> None:
        self._compile_for = compile_for
        self._programs: dict[int, Program] = {}

    def apply(self, block: Block) -> Block:
        """Keep what the filter accepts. Raises what `compile_for` raises."""
        keep = np.zeros(len(block.at), np.bool_)
        for link_type in np.unique(block.link).tolist():
            if link_type != NO_LINK:
                keep |= matches(self._program(link_type), block, link_type)
        data, at, captured, wire, time, link = block
        return Block(data, at[keep], captured[keep], wire[keep], time[keep], link[keep])

    def _program(self, link_type: int) -> Program:
        if link_type not in self._programs:
            self._programs[link_type] = checked(self._compile_for(link_type))
        return self._programs[link_type]


class Packet(NamedTuple):
    """What a program looks at: `size` bytes from `at`, of which there were `wire`; `memory` is its scratch."""

    data: npt.NDArray[np.uint8]
    at: int
    size: int
    wire: int
    memory: npt.NDArray[np.uint32]


@compiled
def matches(program: Program, block: Block, link_type: int) -> npt.NDArray[np.bool_]:
    """Tell which packets are of this link type and accepted by the program, which is `checked`."""
    keep = np.zeros(len(block.at), np.bool_)
    memory = np.zeros(_MEMORY_WORDS, np.uint32)
    for i in range(len(block.at)):
        if block.link[i] == link_type:
            packet = Packet(block.data, block.at[i], signed(block.captured[i]), signed(block.wire[i]), memory)
            keep[i] = run(program, packet) != 0
    return keep


@compiled
def run(program: Program, packet: Packet) -> int:
    """Run a program on one packet; returns what it returns, 0 for a load from outside the packet."""
    a = x = np.uint32(0)
    place = 0
    while True:
        code, k = signed(program[place]["code"]), program[place]["k"]
        kind, place = code & 7, place + 1
        operand = x if code & _X else k
        if kind in (_LD, _LDX):
            value = _loaded(code, k, x, packet)
            if value < 0:
                return 0
            if kind == _LD:
                a = np.uint32(value)
            else:
                x = np.uint32(value)
        elif kind == _ALU:
            if operand == 0 and code & 0xF0 in (_DIV, _MOD):
                return 0
            a = _computed(code & 0xF0, a, operand)
        elif kind == _JMP:
            place += signed(k) if code == _JMP | _JA else _jump(program[place - 1], a, operand)
        elif kind == _RET:
            return signed(a if code & _A else k)
        elif kind == _MISC:
            a, x = (x, x) if code & _TXA else (a, a)
        else:
            packet.memory[k] = a if kind == _ST else x


@compiled
def _loaded(code: int, k: np.uint32, x: np.uint32, packet: Packet) -> int:
    """Load what a load says; -1 when it lies outside the packet."""
    mode = code & 0xE0
    value = signed(k)  # of _IMM
    if mode == _MEM:
        value = signed(packet.memory[k])
    elif mode == _LEN:
        value = signed(packet.wire)
    elif mode != _IMM:
        begin = signed(k + x if mode == _IND else k)
        size = 1 if mode == _MSH else 4 >> ((code & 0x18) >> 3)
        if begin + size > packet.size:
            return -1
        value = signed(0)
        for i in range(packet.at + begin, packet.at + begin + size):
            value = value << 8 | signed(packet.data[i])
        if mode == _MSH:  # four times the length in an IPv4 header
            value = (value & 0xF) << 2
    return value


@compiled
def _jump(instruction: np.void, a: np.uint32, operand: np.uint32) -> int:
    jump = signed(instruction["code"]) & 0xF0
    if jump == _JEQ:
        holds = a == operand
    elif jump == _JGT:
        holds = a > operand
    elif jump == _JGE:
        holds = a >= operand
    else:
        holds = (a & operand) != 0
    return signed(instruction["jt"] if holds else instruction["jf"])


@compiled
def _computed(operation: int, a: np.uint32, operand: np.uint32) -> np.uint32:  # noqa: C901, PLR0911  # ten operations
    if operation == _ADD:
        return a + operand
    if operation == _SUB:
        return a - operand
    if operation == _MUL:
        return a * operand
    if operation == _DIV:
        return np.uint32(a // operand)
    if operation == _MOD:
        return np.uint32(a % operand)
    if operation == _OR:
        return a | operand
    if operation == _AND:
        return a & operand
    if operation == _XOR:
        return a ^ operand
    if operation == _LSH:
        return np.uint32(a << (operand & np.uint32(31)))
    if operation == _RSH:
        return np.uint32(a >> (operand & np.uint32(31)))
    return np.uint32(np.uint32(0) - a)
