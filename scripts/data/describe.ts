/** What a person wants to know of a data set before training on it: whose motion, which sensors, how much of each class, how many gaps. */
import type { DataSet, RecordedModality, Recording } from '../../core/trace/recording.ts';

/** A longer interval than this many nominal periods is a gap, as for the windower. */
const GAP_PERIODS = 1.5;

export interface SubjectSummary {
  readonly subject: string;
  readonly recordings: number;
  /** Sampled time, gaps left out, of the modality that has most. */
  readonly seconds: number;
  /** Per modality. */
  readonly gaps: Readonly<Record<string, number>>;
}

export interface DataSetSummary {
  readonly name: string;
  readonly terms: string;
  readonly publishedTestSubjects: readonly string[] | null;
  readonly modalities: readonly { name: string; unit: string; channels: readonly string[]; sampleRateHz: number }[];
  /** The data set's classes in their order, then the other labels that occur. */
  readonly labels: readonly { label: string; isClass: boolean; seconds: number }[];
  readonly subjects: readonly SubjectSummary[];
}

export function describeDataSet(dataSet: DataSet): DataSetSummary {
  const { name, terms, publishedTestSubjects, classes, recordings } = dataSet;
  const seconds = new Map<string, number>(classes.map((label) => [label, 0]));
  for (const recording of recordings) addLabelledSeconds(recording, seconds);
  const labels = [...seconds].map(([label, s]) => ({ label, isClass: classes.includes(label), seconds: rounded(s) }));
  const modalities = new Map<string, DataSetSummary['modalities'][number]>();
  for (const { name: key, unit, channels, sampleRateHz } of recordings.flatMap((recording) => recording.modalities)) {
    modalities.set(`${key} ${unit} ${channels} ${sampleRateHz}`, { name: key, unit, channels, sampleRateHz });
  }
  const subjects = [...new Set(recordings.map(({ subject }) => subject))].map((subject) =>
    describeSubject(
      subject,
      recordings.filter((recording) => recording.subject === subject),
    ),
  );
  return { name, terms, publishedTestSubjects, modalities: [...modalities.values()], labels, subjects };
}

/** The summary as text for a terminal. */
export function summaryText(summary: DataSetSummary): string {
  const lines = [
    `${summary.name}: ${summary.subjects.length} ${summary.subjects.length === 1 ? 'subject' : 'subjects'}`,
    '',
    'modalities',
  ];
  for (const { name, unit, channels, sampleRateHz } of summary.modalities) {
    lines.push(`  ${name}  ${channels.join(' ')}  ${unit}  ${sampleRateHz} Hz`);
  }
  lines.push('', 'labels');
  const width = Math.max(0, ...summary.labels.map(({ label }) => label.length));
  for (const { label, isClass, seconds } of summary.labels) {
    lines.push(`  ${label.padEnd(width)}  ${seconds.toFixed(0).padStart(7)} s${isClass ? '' : '  (no class)'}`);
  }
  lines.push('', 'subjects');
  for (const { subject, recordings, seconds, gaps } of summary.subjects) {
    const test = summary.publishedTestSubjects?.includes(subject) ? '  test' : '';
    const gapText = Object.entries(gaps)
      .map(([modality, count]) => `${modality} ${count}`)
      .join(', ');
    lines.push(
      `  ${subject.padEnd(6)} ${recordings} ${recordings === 1 ? 'recording ' : 'recordings'} ${seconds.toFixed(0).padStart(6)} s  gaps: ${gapText}${test}`,
    );
  }
  return [...lines, ...(summary.terms === '' ? [] : ['', summary.terms]), ''].join('\n');
}

function describeSubject(subject: string, recordings: readonly Recording[]): SubjectSummary {
  const gaps: Record<string, number> = {};
  let seconds = 0;
  for (const { modalities } of recordings) {
    seconds += Math.max(...modalities.map(({ tUs, sampleRateHz }) => tUs.length / sampleRateHz));
    for (const modality of modalities) gaps[modality.name] = (gaps[modality.name] ?? 0) + countGaps(modality);
  }
  return { subject, recordings: recordings.length, seconds: rounded(seconds), gaps };
}

function countGaps({ tUs, sampleRateHz }: RecordedModality): number {
  const longestUs = (GAP_PERIODS * 1e6) / sampleRateHz;
  let gaps = 0;
  for (let i = 1; i < tUs.length; i++) if ((tUs[i] as number) - (tUs[i - 1] as number) > longestUs) gaps++;
  return gaps;
}

/** Counts samples of the first modality under each label, as seconds: a hole in a recording is no labelled time. */
function addLabelledSeconds({ modalities, labels }: Recording, seconds: Map<string, number>): void {
  const [modality] = modalities;
  if (modality === undefined) return;
  let next = 0;
  let label: string | null = null;
  for (const tUs of modality.tUs) {
    while (next < labels.length && (labels[next]?.tUs ?? Infinity) <= tUs) label = labels[next++]?.label ?? null;
    if (label !== null) seconds.set(label, (seconds.get(label) ?? 0) + 1 / modality.sampleRateHz);
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
