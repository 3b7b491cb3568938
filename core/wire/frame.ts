/**
 * The first steps of every decoder: size → frame → parse → protocol.
 * A Protocol Buffers parser builds objects as it reads, and half a million empty submessages fit in a MiB. So the frame is
 * walked first, without building anything: every length inside its parent, every wire type its field's, no groups, and no
 * more submessages than a message can have. What passes costs memory in proportion to its size.
 * Source: protobuf.dev/programming-guides/encoding. Never throws; a bad payload is a value.
 */
import { type DescField, type DescMessage, fromBinary, type MessageShape, ScalarType } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { MAX_SUBMESSAGES, PROTOCOL } from './limits.ts';
import type { RejectReason } from './update.ts';

/** Why a payload is not taken. `detail` is for people and never repeats what the payload says in words. */
export interface Refusal {
  readonly ok: false;
  readonly reason: RejectReason;
  readonly detail: string;
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | Refusal;

export function refuse(reason: RejectReason, detail: string): Refusal {
  return { ok: false, reason, detail };
}

/** Any of the top-level messages of qqr.proto. */
type TopLevel = GenMessage<MessageShape<DescMessage> & { protocol: number }>;

/** Parses `payload` as `schema`; refuses 'too-large', 'malformed' or 'wrong-protocol'. Bytes fields are views of `payload`. */
export function parseFrame<S extends TopLevel>(
  schema: S,
  payload: Uint8Array,
  maxBytes: number,
): Decoded<MessageShape<S>> {
  if (payload.length > maxBytes) return refuse('too-large', `${payload.length} bytes, at most ${maxBytes} are taken`);
  try {
    walk(schema, new BinaryReader(payload), payload.length, { submessages: MAX_SUBMESSAGES });
    const message = fromBinary(schema, payload, { readUnknownFields: false });
    const { protocol } = message as { protocol: number };
    if (protocol !== PROTOCOL) return refuse('wrong-protocol', `protocol ${protocol}, this side speaks ${PROTOCOL}`);
    return { ok: true, value: message };
  } catch (error) {
    return refuse('malformed', error instanceof Error ? error.message : 'cannot be parsed');
  }
}

/** Reads over one message that ends at `end`; throws on the first thing that is not as the schema says. */
function walk(schema: DescMessage, reader: BinaryReader, end: number, left: { submessages: number }): void {
  const fields = fieldsOf(schema);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.StartGroup || wireType === WireType.EndGroup) throw new Error('groups are not used');
    const field = fields.get(number);
    if (field !== undefined) checkWireType(field, wireType);
    if (field?.message === undefined) {
      if (field?.fieldKind === 'list' && wireType === WireType.LengthDelimited) checkPacked(field, reader.bytes());
      else reader.skip(wireType, number);
    } else {
      if (--left.submessages < 0) throw new Error(`more than ${MAX_SUBMESSAGES} submessages`);
      const length = reader.uint32();
      if (length > end - reader.pos) throw new Error(`field ${field.name} reaches beyond its parent`);
      walk(field.message, reader, reader.pos + length, left);
    }
  }
  if (reader.pos !== end) throw new Error(`${schema.name} ends inside a field`);
}

function checkWireType(field: DescField, wireType: WireType): void {
  const packable = field.fieldKind === 'list' && field.scalar !== undefined;
  if (wireType !== wireTypeOf(field) && !(packable && wireType === WireType.LengthDelimited)) {
    throw new Error(`field ${field.name} with wire type ${wireType}`);
  }
}

/** A packed list has to end with its last element. */
function checkPacked(field: DescField, content: Uint8Array): void {
  if (content.length === 0) return;
  const lastByte = content[content.length - 1] as number;
  const wireType = wireTypeOf(field);
  const isWhole =
    wireType === WireType.LengthDelimited ||
    (wireType === WireType.Bit64 && content.length % 8 === 0) ||
    (wireType === WireType.Bit32 && content.length % 4 === 0) ||
    (wireType === WireType.Varint && lastByte < 0x80);
  if (!isWhole) throw new Error(`field ${field.name} ends inside an element`);
}

function wireTypeOf(field: DescField): WireType {
  switch (field.scalar) {
    case undefined:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}

const fieldsBySchema = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = fieldsBySchema.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    fieldsBySchema.set(schema, fields);
  }
  return fields;
}
