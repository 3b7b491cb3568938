/**
 * What is in a recording, before anything is done with it: rates as measured, gaps, how long, which labels, how many windows a board
 * would cut, and everything that an importer did not take as it stood.
 */

import { medianRateHz } from '../../core/trace/nominal-rate.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { DataSet, RecordedModality, Recording } from '../../core/trace/recording.ts';
import { ownModalities } from './judged-windows.ts';

/** As for the windower. */
const GAP_PERIODS = 1.5;
const WINDOW_SECONDS = 2.56;
const OVERLAP = 0.5;

export interface ModalityCheck {
  readonly name: string;
  readonly unit: string;
  readonly channels: readonly string[];
  readonly samples: number;
  readonly nominalHz: number;
  /** Of the median interval; null for fewer than two samples. */
  readonly measuredHz: number | null;
  readonly gaps: number;
  readonly longestGapS: number;
}

export interface RecordingCheck {
  readonly subject: string;
  /** From the first to the last sample, gaps and all. */
  readonly lengthS: number;
  readonly modalities: readonly ModalityCheck[];
  /** Seconds under each label; null: none. */
  readonly labels: readonly { readonly label: string | null; readonly seconds: number }[];
  /** Of 2.56 s, half overlapping. */
  readonly windows: number;
}

export interface Check {
  readonly name: string;
  readonly recordings: readonly RecordingCheck[];
  readonly notes: readonly string[];
}

export function checkDataSet({ name, recordings }: DataSet, notes: readonly string[]): Check {
  return { name, recordings: recordings.map(checkRecording), notes };
}

/** For a terminal. */
export function checkText({ name, recordings, notes }: Check): string {
  const lines = [`${name}: ${recordings.length} ${recordings.length === 1 ? 'recording' : 'recordings'}`];
  for (const { subject, lengthS, modalities, labels, windows } of recordings) {
    lines.push('', `${subject}: ${lengthS} s, ${windows} windows of ${WINDOW_SECONDS} s`);
    for (const { name: modality, channels, unit, samples, nominalHz, measuredHz, gaps, longestGapS } of modalities) {
      const rate = measuredHz === null ? 'no rate' : `${measuredHz} Hz (nominal ${rounded(nominalHz)})`;
      const gapText = gaps === 0 ? 'no gap' : `${gaps} ${gaps === 1 ? 'gap' : 'gaps'}, the longest ${longestGapS} s`;
      lines.push(`  ${modality.padEnd(4)} ${channels.join(' ')}  ${unit}  ${samples} samples  ${rate}  ${gapText}`);
    }
    lines.push(`  labels: ${labels.map(({ label, seconds }) => `${label ?? '(none)'} ${seconds} s`).join(', ')}`);
  }
  if (notes.length > 0) lines.push('', 'notes', ...notes.map((note) => `  ${note}`));
  return [...lines, ''].join('\n');
}

function checkRecording(recording: Recording): RecordingCheck {
  const { subject, modalities } = recording;
  const ends = modalities.map(({ tUs }) => [tUs[0] ?? 0, tUs.at(-1) ?? 0] as const);
  const startUs = Math.min(...ends.map(([first]) => first));
  const endUs = Math.max(...ends.map(([, last]) => last));
  const wanted = ownModalities(recording, WINDOW_SECONDS);
  return {
    subject,
    lengthS: rounded((endUs - startUs) / 1e6),
    modalities: modalities.map(checkModality),
    labels: labelSeconds(recording, startUs, endUs),
    windows: windowsOf(recording, { wanted, windowSeconds: WINDOW_SECONDS, overlap: OVERLAP }).length,
  };
}

function checkModality({ name, unit, channels, sampleRateHz, tUs }: RecordedModality): ModalityCheck {
  const longestUs = (GAP_PERIODS * 1e6) / sampleRateHz;
  let gaps = 0;
  let longestGapUs = 0;
  for (let i = 1; i < tUs.length; i++) {
    const interval = (tUs[i] as number) - (tUs[i - 1] as number);
    if (interval <= longestUs) continue;
    gaps++;
    longestGapUs = Math.max(longestGapUs, interval);
  }
  const measured = medianRateHz(tUs);
  return {
    name,
    unit,
    channels,
    samples: tUs.length,
    nominalHz: sampleRateHz,
    measuredHz: measured === null ? null : rounded(measured),
    gaps,
    longestGapS: rounded(longestGapUs / 1e6),
  };
}

function labelSeconds({ labels }: Recording, startUs: number, endUs: number): RecordingCheck['labels'] {
  const seconds = new Map<string | null, number>();
  const changes = [{ tUs: startUs, label: null as string | null }, ...labels];
  changes.forEach(({ tUs, label }, i) => {
    const untilUs = Math.min(changes[i + 1]?.tUs ?? endUs, endUs);
    seconds.set(label, (seconds.get(label) ?? 0) + Math.max(0, untilUs - Math.max(tUs, startUs)) / 1e6);
  });
  const rows = [...seconds].map(([label, time]) => ({ label, seconds: rounded(time) }));
  return rows.filter((row) => row.seconds > 0);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
