/** What each board takes itself to do now, how sure it is, and what fails; and what the model says of the held-out windows. */
import { getJson } from './api.ts';
import { element, setText } from './element.ts';
import { agoText, percentText } from './figure-text.ts';
import type { FleetModel, LiveState } from './fleet-model.ts';
import { createHeldOut, EXAMPLES_LOOKED_AT, type PredictionsAnswer } from './held-out.ts';
import { startReading } from './reading.ts';
import { boardLink } from './rounds-view.ts';
import { modalityText } from './trouble.ts';
import type { View } from './view.ts';

/** Ticks between readings of all states: boards speak every ten seconds. */
const READ_EVERY = 10;

/** Cards beyond that are reached by the filter. */
const MOST_CARDS = 200;

export function createLiveView(model: FleetModel): View {
  const none = element(
    'p',
    { class: 'lead' },
    'No live states: no board has told what it is doing, or this aggregator does not keep it.',
  );
  const filter = element('input', {
    type: 'search',
    id: 'filter',
    placeholder: 'Board or activity',
    autocomplete: 'off',
  });
  const controls = element(
    'div',
    { class: 'controls', role: 'search' },
    element('label', { for: 'filter' }, 'Filter'),
    filter,
  );
  const more = element('p', { class: 'muted' });
  const grid = element('ul', { class: 'cards live' });
  const cards = new Map<string, ReturnType<typeof createCard>>();
  const heldOut = createHeldOut();
  const list = () => {
    const states = [...(model.states() ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const word = filter.value.trim().toLowerCase();
    const wanted = states.filter(([device, { activity }]) => `${device} ${activity}`.toLowerCase().includes(word));
    for (const [device, state] of wanted.slice(0, MOST_CARDS)) {
      const card = cards.get(device) ?? createCard(device);
      cards.set(device, card);
      card.show(state);
    }
    grid.replaceChildren(...wanted.slice(0, MOST_CARDS).flatMap(([device]) => cards.get(device)?.element ?? []));
    none.hidden = states.length > 0;
    controls.hidden = states.length === 0;
    setText(more, wanted.length > MOST_CARDS ? `The first ${MOST_CARDS} of ${wanted.length}: filter for others.` : '');
  };
  const reading = startReading(async (signal) => {
    if (!model.now().fleet.hasPredictions || model.now().fleet.lastRound === null) return;
    heldOut.show(await getJson<PredictionsAnswer>(`predictions?limit=${EXAMPLES_LOOKED_AT}`, signal));
  });
  let ticks = 0;
  filter.addEventListener('input', list);
  list();
  return {
    title: 'Live',
    element: element('div', {}, none, controls, more, grid, heldOut.element, reading.element),
    update({ states, closedRounds, isAll }) {
      const isKnown = [...states].every((device) => cards.has(device));
      if (isAll || !isKnown) list();
      else for (const device of states) cards.get(device)?.show(model.states()?.get(device) as LiveState);
      if (closedRounds.length > 0) reading.again();
    },
    tick() {
      if (++ticks % READ_EVERY === 0 && model.states() !== null) model.readStates().catch(() => undefined); // again in a while
      for (const card of cards.values()) card.tick();
    },
    stop: () => reading.stop(),
  };
}

function createCard(device: string) {
  const activity = element('p', { class: 'activity' });
  const sure = element('meter', { min: 0, max: 1, low: 0.5, optimum: 1, 'aria-label': `confidence of ${device}` });
  const confidence = element('span', {});
  const quality = element('p', { class: 'muted' });
  const faults = element('p', { class: 'bad' });
  const heard = element('p', { class: 'muted' });
  const card = element(
    'li',
    { class: 'card' },
    element('h2', {}, boardLink(device)),
    activity,
    element('p', { class: 'sure' }, sure, confidence),
    quality,
    faults,
    heard,
  );
  let state: LiveState | null = null;
  const tick = () => {
    if (state === null) return;
    const version = state.modelVersion === null ? 'no model yet' : `model ${state.modelVersion}`;
    setText(heard, `${state.online ? '' : 'said goodbye · '}${version} · ${agoText(state.atMs, Date.now())}`);
  };
  return {
    element: card,
    tick,
    show(next: LiveState) {
      state = next;
      card.classList.toggle('away', !next.online);
      setText(activity, next.activity ?? 'does not know');
      sure.value = next.confidence;
      setText(confidence, percentText(next.activity === null ? null : next.confidence));
      const parts = Object.entries(next.quality).map(
        ([name, value]) => `${modalityText(name)} ${value === null ? 'missing' : percentText(value)}`,
      );
      setText(quality, parts.join(' · '));
      setText(faults, next.faults.join('; '));
      tick();
    },
  };
}
