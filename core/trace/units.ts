/**
 * The units that a trace may be written in, and the one that each becomes in memory.
 * Invariant: past this table a modality is in its first unit only (m/s², rad/s, µT, …), so no other code converts.
 */

/** A unit as written in a column name → the unit in memory and the factor that leads there. */
const UNITS: Readonly<Record<string, { readonly unit: string; readonly scale: number }>> = {
  mps2: { unit: 'mps2', scale: 1 },
  g: { unit: 'mps2', scale: 9.80665 }, // standard gravity, CGPM 1901
  mg: { unit: 'mps2', scale: 9.80665e-3 },
  radps: { unit: 'radps', scale: 1 },
  dps: { unit: 'radps', scale: Math.PI / 180 },
  mdps: { unit: 'radps', scale: Math.PI / 180_000 },
  uT: { unit: 'uT', scale: 1 },
  gauss: { unit: 'uT', scale: 100 },
  mgauss: { unit: 'uT', scale: 0.1 },
  lef: { unit: 'lef', scale: 1 }, // magnetic field relative to the local Earth field
  hPa: { unit: 'hPa', scale: 1 },
  Pa: { unit: 'hPa', scale: 0.01 },
  degC: { unit: 'degC', scale: 1 },
  mV: { unit: 'mV', scale: 1 },
  uV: { unit: 'mV', scale: 1e-3 },
};

/** For hints: every unit that a column name may end with. */
export const ACCEPTED_UNITS = Object.keys(UNITS).join(', ');

/** What a unit becomes in memory: `value in memory = value as written × scale`; null for a unit that is not in the table. */
export function unitNamed(written: string): { readonly unit: string; readonly scale: number } | null {
  return Object.hasOwn(UNITS, written) ? (UNITS[written] ?? null) : null;
}
