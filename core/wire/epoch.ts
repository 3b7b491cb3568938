/**
 * An epoch: one life of an aggregator's database. It is drawn when the database is made, or when somebody says that one which was
 * restored begins a new life; rounds, versions and keys of two epochs have nothing to do with each other.
 * In the program 16 hexadecimal digits, so that it can be read, stored and compared as text; on the wire a fixed64, 0 for "not said".
 */

/** 16 lower-case hexadecimal digits, not all 0. */
export type Epoch = string;

/** What a message says, or 0. */
export function epochField(epoch: Epoch | undefined): bigint {
  return epoch === undefined ? 0n : BigInt(`0x${epoch}`);
}

/** The other way, as a part of a message's plain data: nothing where it does not say. */
export function saidEpoch(field: bigint): { readonly epoch?: Epoch } {
  return field === 0n ? {} : { epoch: field.toString(16).padStart(16, '0') };
}

/** Whether what is said of one epoch is meant for another; who does not say means whoever hears it. */
export function isSameEpoch(a: Epoch | null | undefined, b: Epoch | null | undefined): boolean {
  return a == null || b == null || a === b;
}
