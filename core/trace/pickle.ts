/**
 * Reads the pickled dictionary of arrays that `numpy.save` makes of Python objects, without Python and without running anything:
 * a pickle is a program for a stack machine, and this machine knows only the instructions that build data, and only four names
 * (array, dtype, and the two functions that make them). Anything else in the file is an error.
 * Source: CPython's Lib/pickletools.py, protocols 0-2; NumPy's format description NEP 1.
 */
import { AppError } from '../base/errors.ts';

export type Pickled = string | number | boolean | null | Buffer | PickledList | Map<string, Pickled> | NumpyObject;
export type PickledList = Pickled[];
type NumpyObject = NumpyArray | NumpyType | NumpyName;

/** A NumPy array, its elements still packed in `data` (or a list, for arrays of objects). */
export interface NumpyArray {
  readonly kind: 'array';
  shape: readonly number[];
  /** `f8`, `i8`, … */
  type: string;
  /** Whether the first index runs fastest in `data`. */
  isColumnMajor: boolean;
  data: Buffer | PickledList;
}

interface NumpyType {
  readonly kind: 'dtype';
  readonly type: string;
  byteOrder: string;
}

interface NumpyName {
  readonly kind: 'name';
  readonly name: string;
}

interface Machine {
  readonly bytes: Buffer;
  at: number;
  readonly stack: Pickled[];
  /** Stack heights at the open marks. */
  readonly marks: number[];
  readonly memo: Map<number, Pickled>;
}

const NPY_MAGIC = '\x93NUMPY\x01';
const KNOWN_NAMES = ['numpy.core.multiarray _reconstruct', 'numpy ndarray', 'numpy dtype', '_codecs encode'];

/** The object in the `.npy` file `bytes`, called `where` in errors. Fails with `data-format`. */
export function readPickledNpy(bytes: Buffer, where: string): Pickled {
  try {
    if (bytes.toString('latin1', 0, NPY_MAGIC.length) !== NPY_MAGIC)
      throw new RangeError('not a .npy file of version 1');
    const machine: Machine = { bytes, at: 10 + bytes.readUInt16LE(8), stack: [], marks: [], memo: new Map() };
    const root = run(machine);
    const isObjectArray = isArray(root) && Array.isArray(root.data) && root.data.length === 1;
    if (!isObjectArray) throw new RangeError('not a single pickled object');
    return (root.data as PickledList)[0] ?? null;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AppError('data-format', `not a readable array file: ${cause.message}`, { where, cause });
  }
}

export function isArray(value: Pickled | undefined): value is NumpyArray {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'array';
}

/** Elements of an array of doubles or 64-bit integers, in the order of `data`; null for any other value. */
export function elementsOf(value: Pickled | undefined): Float64Array | null {
  if (!isArray(value) || Array.isArray(value.data) || !['f8', 'i8'].includes(value.type)) return null;
  const { data, type } = value;
  const count = value.shape.reduce((product, size) => product * size, 1);
  if (data.length !== count * 8) return null;
  const read =
    type === 'f8' ? (i: number) => data.readDoubleLE(i * 8) : (i: number) => Number(data.readBigInt64LE(i * 8));
  return Float64Array.from({ length: count }, (_, i) => read(i));
}

function run(m: Machine): Pickled {
  for (;;) {
    const code = String.fromCharCode(take(m, 1)[0] as number);
    if (code === '.') return pop(m);
    const instruction = INSTRUCTIONS[code];
    if (instruction === undefined)
      throw new RangeError(`instruction '${code}' at ${m.at - 1} is not one that builds data`);
    instruction(m);
  }
}

/** Opcode → effect, named as in pickletools. */
const INSTRUCTIONS: Readonly<Record<string, (m: Machine) => void>> = {
  '\x80': (m) => void take(m, 1), // PROTO
  'N': (m) => m.stack.push(null), // NONE
  '\x88': (m) => m.stack.push(true), // NEWTRUE
  '\x89': (m) => m.stack.push(false), // NEWFALSE
  'J': (m) => m.stack.push(take(m, 4).readInt32LE()), // BININT
  'K': (m) => m.stack.push(take(m, 1).readUInt8()), // BININT1
  'M': (m) => m.stack.push(take(m, 2).readUInt16LE()), // BININT2
  'X': (m) => m.stack.push(take(m, take(m, 4).readUInt32LE()).toString('utf8')), // BINUNICODE
  'q': (m) => m.memo.set(take(m, 1).readUInt8(), top(m)), // BINPUT
  'r': (m) => m.memo.set(take(m, 4).readUInt32LE(), top(m)), // LONG_BINPUT
  'h': (m) => m.stack.push(remembered(m, take(m, 1).readUInt8())), // BINGET
  'j': (m) => m.stack.push(remembered(m, take(m, 4).readUInt32LE())), // LONG_BINGET
  '(': (m) => m.marks.push(m.stack.length), // MARK
  ')': (m) => m.stack.push([]), // EMPTY_TUPLE
  '\x85': (m) => m.stack.push(m.stack.splice(-1)), // TUPLE1
  '\x86': (m) => m.stack.push(m.stack.splice(-2)), // TUPLE2
  '\x87': (m) => m.stack.push(m.stack.splice(-3)), // TUPLE3
  't': (m) => m.stack.push(sinceMark(m)), // TUPLE
  ']': (m) => m.stack.push([]), // EMPTY_LIST
  '}': (m) => m.stack.push(new Map()), // EMPTY_DICT
  'a': (m) => append(m, [pop(m)]), // APPEND
  'e': (m) => append(m, sinceMark(m)), // APPENDS
  'u': (m) => setItems(m, sinceMark(m)), // SETITEMS
  'c': (m) => m.stack.push(nameOf(m)), // GLOBAL
  'R': (m) => m.stack.push(reduce(pop(m), m)), // REDUCE
  'b': (m) => build(pop(m), top(m)), // BUILD
};

function reduce(args: Pickled, m: Machine): Pickled {
  const callee = pop(m);
  const name =
    typeof callee === 'object' && callee !== null && 'kind' in callee && callee.kind === 'name' ? callee.name : '';
  if (!Array.isArray(args)) throw new RangeError('arguments are not a tuple');
  const [first] = args;
  switch (name) {
    case 'numpy.core.multiarray _reconstruct':
      return { kind: 'array', shape: [], type: '', isColumnMajor: false, data: [] };
    case 'numpy dtype':
      if (typeof first === 'string') return { kind: 'dtype', type: first, byteOrder: '<' };
      break;
    case '_codecs encode':
      // Python 2 strings: bytes as code points of Latin-1.
      if (typeof first === 'string' && args[1] === 'latin1') return Buffer.from(first, 'latin1');
      break;
  }
  throw new RangeError(`'${name}' is not called like that`);
}

/** `__setstate__` of an array: (version, shape, dtype, is column-major, data); of a dtype: (version, byte order, …). */
function build(state: Pickled, target: Pickled): void {
  if (Array.isArray(state) && typeof target === 'object' && target !== null && 'kind' in target) {
    const [, second, dtype, isColumnMajor, data] = state;
    if (target.kind === 'dtype' && typeof second === 'string' && second !== '>') {
      target.byteOrder = second;
      return;
    }
    const isType = typeof dtype === 'object' && dtype !== null && 'kind' in dtype && dtype.kind === 'dtype';
    if (target.kind === 'array' && isShape(second) && isType && (Buffer.isBuffer(data) || Array.isArray(data))) {
      Object.assign(target, { shape: second, type: dtype.type, isColumnMajor: isColumnMajor === true, data });
      return;
    }
  }
  throw new RangeError('an object is built from an unknown state');
}

function isShape(value: Pickled | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isInteger(size));
}

function nameOf(m: Machine): NumpyName {
  const name = `${takeLine(m)} ${takeLine(m)}`;
  if (!KNOWN_NAMES.includes(name))
    throw new RangeError(`the file asks for the Python object '${name}', which is not data`);
  return { kind: 'name', name };
}

function append(m: Machine, items: PickledList): void {
  const list = top(m);
  if (!Array.isArray(list)) throw new RangeError('append to what is no list');
  for (const item of items) list.push(item);
}

function setItems(m: Machine, items: PickledList): void {
  const dictionary = top(m);
  if (!(dictionary instanceof Map)) throw new RangeError('items set in what is no dictionary');
  for (let i = 0; i + 1 < items.length; i += 2) dictionary.set(String(items[i]), items[i + 1] as Pickled);
}

function sinceMark(m: Machine): PickledList {
  const mark = m.marks.pop();
  if (mark === undefined) throw new RangeError('no mark is open');
  return m.stack.splice(mark);
}

function pop(m: Machine): Pickled {
  const value = m.stack.pop();
  if (value === undefined) throw new RangeError('the stack is empty');
  return value;
}

function top(m: Machine): Pickled {
  const value = m.stack.at(-1);
  if (value === undefined) throw new RangeError('the stack is empty');
  return value;
}

function remembered(m: Machine, key: number): Pickled {
  const value = m.memo.get(key);
  if (value === undefined) throw new RangeError(`nothing is remembered under ${key}`);
  return value;
}

function take(m: Machine, length: number): Buffer {
  if (m.at + length > m.bytes.length) throw new RangeError('the file ends early');
  m.at += length;
  return m.bytes.subarray(m.at - length, m.at);
}

function takeLine(m: Machine): string {
  const end = m.bytes.indexOf(0x0a, m.at);
  if (end < 0) throw new RangeError('the file ends early');
  const line = m.bytes.toString('latin1', m.at, end);
  m.at = end + 1;
  return line;
}
