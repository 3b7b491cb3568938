/** `/api/v1/model`, `/prototypes`, `/predictions`: the fleet's model as it is now, described as JSON, its numbers also as float32. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { paramLayout } from '../../core/model/params.ts';
import { predictionAt } from '../../core/model/prediction.ts';
import { shapeHash } from '../../core/model/spec.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import type { HoldoutPredictions } from '../holdout.ts';
import type { FleetWindow } from './fleet-window.ts';
import { binaryRoute, jsonRoute } from './json-route.ts';
import { count, share, whole } from './parameters.ts';
import { problem } from './problem.ts';

const modelSchema = z
  .strictObject({
    version: count,
    shapeHash: z.string().openapi({ description: '8 hexadecimal digits' }),
    parameters: count,
    groups: z.array(
      z.strictObject({
        name: z.string().openapi({ description: "a modality's encoder, or `head`" }),
        offset: count,
        size: count,
        tensors: z.array(z.strictObject({ name: z.string(), shape: z.array(count), offset: count, size: count })),
      }),
    ),
    temperature: z.number(),
    normalization: z
      .array(z.strictObject({ modality: z.string(), mean: z.array(z.number()), std: z.array(z.number()) }))
      .nullable(),
  })
  .openapi('Model');

const prototypesSchema = z
  .strictObject({
    version: count,
    modalities: z.array(z.string()),
    classes: z.array(z.string()),
    dim: count,
    prototypes: z
      .array(
        z.strictObject({ modality: z.string(), class: z.string(), weight: z.number(), values: z.array(z.number()) }),
      )
      .openapi({ description: 'those that were seen; weight: windows, of the round that saw it last' }),
  })
  .openapi('Prototypes');

const predictionsSchema = z
  .strictObject({
    version: count,
    classes: z.array(z.string()),
    windows: count,
    accuracy: share,
    unsure: count.openapi({ description: 'windows that are answered with "don\'t know"' }),
    confusion: z.array(z.array(count)).openapi({ description: '[true class][predicted class]' }),
    examples: z.array(
      z.strictObject({
        window: count,
        label: z.string(),
        predicted: z.string().nullable(),
        confidence: share,
        probabilities: z.array(share),
      }),
    ),
  })
  .openapi('Predictions');

export function addModelRoutes(app: OpenAPIHono, window: FleetWindow): void {
  const { spec } = window;
  const layout = paramLayout(spec);
  const nameOf = (group: number) => spec.modalities[group]?.name ?? 'head';
  jsonRoute(app, { path: '/api/v1/model', tag: 'model', summary: 'The present model', schema: modelSchema }, () => {
    const { version, temperature, normalization } = window.global();
    return {
      version,
      shapeHash: shapeHash(spec).toString(16).padStart(8, '0'),
      parameters: layout.total,
      groups: layout.groups.map(({ group, offset, size, tensors }) => ({
        ...{ name: nameOf(group), offset, size },
        tensors: tensors.map((tensor) => {
          return { name: tensor.name, shape: tensor.shape, offset: tensor.offset, size: tensor.size };
        }),
      })),
      temperature,
      normalization:
        normalization &&
        spec.modalities.map(({ name }, m) => ({
          ...{ modality: name, mean: [...(normalization.mean[m] ?? [])], std: [...(normalization.std[m] ?? [])] },
        })),
    };
  });
  const kinds = { kind: z.enum(['averaged', 'last']).default('averaged') };
  const summary =
    'Its parameters: float32, little-endian; the average that predicts, or the last that boards train from';
  binaryRoute(app, { path: '/api/v1/model/parameters', tag: 'model', summary, query: kinds }, ({ kind }) => {
    const { averaged, params } = window.global();
    return kind === 'last' ? params : averaged;
  });
  addPrototypeRoutes(app, window);
  addPredictionsRoute(app, window);
}

function addPrototypeRoutes(app: OpenAPIHono, window: FleetWindow): void {
  const { classes, modalities } = window.spec;
  const names = modalities.map(({ name }) => name);
  const json = { path: '/api/v1/prototypes', tag: 'model', summary: 'The prototypes by modality and class' };
  jsonRoute(app, { ...json, schema: prototypesSchema }, () => {
    const { version, prototypes } = window.global();
    const { dim, weight, values } = prototypes;
    const cells = [...weight].flatMap((of, cell) => {
      const [modality, name] = [names[Math.floor(cell / classes.length)], classes[cell % classes.length]];
      if (of === 0 || modality === undefined || name === undefined) return [];
      const vector = [...values.subarray(cell * dim, (cell + 1) * dim)].map((value) => Number(value.toPrecision(7)));
      return [{ modality, class: name, weight: of, values: vector }];
    });
    return { version, modalities: names, classes, dim, prototypes: cells };
  });
  const summary = 'The same numbers: float32 [modality][class][dim], little-endian, zeros where nothing was seen';
  binaryRoute(app, { path: '/api/v1/prototypes/values', tag: 'model', summary }, () =>
    seen(window.global().prototypes),
  );
}

function seen({ values, weight, dim }: PrototypeSet): Float32Array {
  return values.map((value, i) => ((weight[Math.floor(i / dim)] as number) > 0 ? value : 0));
}

function addPredictionsRoute(app: OpenAPIHono, window: FleetWindow): void {
  const { classes } = window.spec;
  const about = {
    path: '/api/v1/predictions',
    tag: 'model',
    summary: 'What the present model says of the held-out windows',
    query: { limit: whole(0, 1000, 50) },
    problems: ['not-found', 'not-now'] as const,
  };
  let kept: HoldoutPredictions | null = null;
  jsonRoute(app, { ...about, schema: predictionsSchema }, ({ limit }) => {
    if (!window.hasHoldout) return problem('not-found', 'evaluation.holdout names no recordings');
    if (kept?.version !== window.global().version) kept = window.predictions();
    if (kept === null) return problem('not-now', 'round 0 has not closed yet');
    return summaryOf(kept, classes, limit);
  });
}

function summaryOf({ version, labels, probabilities }: HoldoutPredictions, classes: readonly string[], limit: number) {
  const confusion = classes.map(() => classes.map(() => 0));
  let [right, unsure] = [0, 0];
  const all = Array.from(labels, (label, window) => {
    const { class: predicted, confidence } = predictionAt(probabilities, window, classes.length);
    const row = confusion[label];
    if (predicted === null) unsure++;
    else if (row !== undefined) row[predicted] = (row[predicted] ?? 0) + 1;
    if (predicted === label) right++;
    return {
      window,
      label: classes[label] ?? '',
      predicted: predicted === null ? null : (classes[predicted] ?? null),
      confidence,
    };
  });
  const every = Math.max(1, Math.floor(all.length / Math.max(1, limit)));
  const shown = all.filter(({ window }) => window % every === 0).slice(0, limit);
  const rowOf = (window: number) => [...probabilities.subarray(window * classes.length, (window + 1) * classes.length)];
  const rounded = (value: number) => Number(Math.min(1, Math.max(0, value)).toPrecision(4));
  return {
    ...{ version, classes, windows: labels.length, unsure, confusion },
    accuracy: labels.length === 0 ? 0 : right / labels.length,
    examples: shown.map((one) => ({
      ...{ ...one, confidence: rounded(one.confidence), probabilities: rowOf(one.window).map(rounded) },
    })),
  };
}
