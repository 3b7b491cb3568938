/**
 * The straight line "sample index → time" under everything that is known of when samples had arrived. Delays (bus, scheduler, event
 * loop) are never negative, so each arrival is an upper bound, and means would carry the delays' mean. Hence the lower convex hull of the
 * arrivals, as for clock skew over a network (Moon, Skelly, Towsley, INFOCOM 1999); the period is its slope between the quartiles of the
 * indices, which a single edge tells worse, and the line is the highest of that slope that no arrival contradicts.
 * Memory is bounded: the last minute of arrivals, thinned to the tightest of each stretch when there are many.
 */

export interface ArrivalLine {
  /** Sample `index` (rising from call to call) was there at `knownUs`. */
  add(index: number, knownUs: number): void;
  /** Microseconds per sample; what was given while there are less than two arrivals. */
  periodUs(): number;
  /** Time of a sample, microseconds, by the line. NaN before the first arrival. */
  timeUs(index: number): number;
  /** From the first arrival that counts to the newest. */
  spanUs(): number;
}

/** Longer would average a warming oscillator away, shorter would know the rate less well. */
const WINDOW_US = 60_000_000;
/** Of arrivals that are kept; the hull over them is computed at each one. */
const MOST_POINTS = 128;
/** When for so long not one arrival comes near the line, the oscillator has changed and only what was since counts. */
const STALE_AFTER_US = 2_000_000;
const STALE_EXCESS_US = 20_000;

interface Point {
  readonly index: number;
  readonly knownUs: number;
}

/** What is known of the period beforehand. A few arrivals with delays of 20 ms would give any. */
export interface Prior {
  readonly periodUs: number;
  /** Share by which it may be wrong. */
  readonly doubt: number;
  /** After so much time of arrivals it is forgotten, microseconds. */
  readonly holdsUs: number;
}

export function createArrivalLine(nominal: Prior): ArrivalLine {
  let prior = nominal;
  let points: Point[] = [];
  let spacingUs = 0;
  let line = { index: 0, atUs: Number.NaN, periodUs: prior.periodUs };
  let nearUs = 0;

  const excess = (point: Point) => point.knownUs - line.atUs - (point.index - line.index) * line.periodUs;

  function keep(point: Point): void {
    const before = points.at(-2);
    const last = points.at(-1);
    const isSameStretch = before !== undefined && last !== undefined && point.knownUs - before.knownUs < spacingUs;
    if (!isSameStretch) points.push(point);
    else if (excess(point) <= excess(last)) points[points.length - 1] = point;
  }

  function thin(): void {
    const all = points;
    const span = (all.at(-1) as Point).knownUs - (all[0] as Point).knownUs;
    spacingUs = Math.min(WINDOW_US / (MOST_POINTS / 2), span / (MOST_POINTS / 2));
    points = [];
    for (const point of all) keep(point);
  }

  return {
    add(index, knownUs) {
      const point = { index, knownUs };
      keep(point);
      if (points.length > MOST_POINTS) thin();
      while ((points[0] as Point).knownUs < knownUs - WINDOW_US) points.shift();
      line = fit(points, prior);
      const isNear = (one: Point) => excess(one) < STALE_EXCESS_US + 2 * line.periodUs;
      if (isNear(point)) nearUs = knownUs;
      if (knownUs - nearUs > STALE_AFTER_US || isBent(points, isNear)) {
        points = points.filter((kept) => kept.knownUs >= knownUs - STALE_AFTER_US);
        spacingUs = 0;
        prior = { ...prior, holdsUs: 0 };
        nearUs = knownUs;
        line = fit(points, prior);
      }
    },
    periodUs: () => line.periodUs,
    timeUs: (index) => line.atUs + (index - line.index) * line.periodUs,
    spanUs: () => (points.length === 0 ? 0 : (points.at(-1) as Point).knownUs - (points[0] as Point).knownUs),
  };
}

/** A period that has become shorter lets the line touch both ends and nothing of the middle third. */
function isBent(points: readonly Point[], isNear: (point: Point) => boolean): boolean {
  const third = Math.floor(points.length / 3);
  const spanUs = (points.at(-1) as Point).knownUs - (points[0] as Point).knownUs;
  return spanUs > 3 * STALE_AFTER_US && !points.slice(third, points.length - third).some(isNear);
}

interface Line {
  readonly index: number;
  readonly atUs: number;
  readonly periodUs: number;
}

/** The line below the points; near the beginning with a period within bounds. */
function fit(points: readonly Point[], prior: Prior): Line {
  const first = points[0] as Point;
  const last = points.at(-1) as Point;
  if (last.index === first.index) return below(points, prior.periodUs);
  const hull = lowerHull(points);
  const count = last.index - first.index;
  const periodUs =
    (timeOn(hull, first.index + 0.75 * count) - timeOn(hull, first.index + 0.25 * count)) / (0.5 * count);
  if (last.knownUs - first.knownUs >= prior.holdsUs) return below(points, periodUs);
  const [least, most] = [prior.periodUs * (1 - prior.doubt), prior.periodUs * (1 + prior.doubt)];
  return below(points, Math.min(most, Math.max(least, periodUs)));
}

/** The highest line of this slope that is below all points. */
function below(points: readonly Point[], periodUs: number): Line {
  const { index } = points[0] as Point;
  let atUs = Number.POSITIVE_INFINITY;
  for (const point of points) atUs = Math.min(atUs, point.knownUs - (point.index - index) * periodUs);
  return { index, atUs, periodUs };
}

function timeOn(hull: readonly Point[], index: number): number {
  const right = Math.max(
    1,
    hull.findIndex((point) => point.index >= index),
  );
  const [from, to] = [hull[right - 1] as Point, hull[right] as Point];
  return from.knownUs + ((index - from.index) * (to.knownUs - from.knownUs)) / (to.index - from.index);
}

/** Andrew's monotone chain, of arrivals in order; of those of one sample the first counts. */
function lowerHull(points: readonly Point[]): Point[] {
  const hull: Point[] = [];
  for (const point of points) {
    if (point.index === hull.at(-1)?.index) continue;
    while (hull.length >= 2 && !turnsLeft(hull.at(-2) as Point, hull.at(-1) as Point, point)) hull.pop();
    hull.push(point);
  }
  return hull;
}

function turnsLeft(a: Point, b: Point, c: Point): boolean {
  return (b.index - a.index) * (c.knownUs - a.knownUs) > (c.index - a.index) * (b.knownUs - a.knownUs);
}
