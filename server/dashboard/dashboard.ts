/// <reference lib="dom" />
/** The dashboard's entry: reads the fleet, then shows the view that the address names (`#/`, `#/rounds/12`, `#/boards/pi-7`). */
import { keepToken, statusOf } from './api.ts';
import { createBoardView } from './board-view.ts';
import { createBytesView } from './bytes-view.ts';
import { createCurvesView } from './curves-view.ts';
import { element, setText } from './element.ts';
import { createFleetModel, type FleetModel } from './fleet-model.ts';
import { createFleetView } from './fleet-view.ts';
import { createLiveView } from './live-view.ts';
import { createPrototypesView } from './prototypes-view.ts';
import { createRoundView } from './round-view.ts';
import { createRoundsView } from './rounds-view.ts';
import { startTheme } from './theme.ts';
import type { CreateView, View } from './view.ts';

interface Route {
  readonly create: CreateView;
  /** In the navigation; null: reached from another view. */
  readonly label: string | null;
}

const ROUTES: Readonly<Record<string, Route>> = {
  '': { create: createFleetView, label: 'Fleet' },
  'rounds': {
    create: (model, round) => (round === '' ? createRoundsView(model) : createRoundView(model, round)),
    label: 'Rounds',
  },
  'curves': { create: createCurvesView, label: 'Curves' },
  'prototypes': { create: createPrototypesView, label: 'Prototypes' },
  'bytes': { create: createBytesView, label: 'Bytes' },
  'live': { create: createLiveView, label: 'Live' },
  'boards': { create: createBoardView, label: null },
};

function one<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as E;
}

function place(): { readonly name: string; readonly argument: string } {
  const [, name = '', argument = ''] = location.hash.split('/');
  return { name: name in ROUTES ? name : '', argument: decodeURIComponent(argument) };
}

function startRouter(model: FleetModel): void {
  const main = one('main');
  const links = Object.entries(ROUTES).flatMap(([name, { label }]) =>
    label === null ? [] : [{ name, link: element('a', { href: `#/${name}` }, label) }],
  );
  one('views').append(...links.map(({ link }) => link));
  let view: View | null = null;
  const open = (isFirst: boolean) => {
    if (location.hash === '#main') return main.focus();
    view?.stop();
    const { name, argument } = place();
    view = (ROUTES[name] as Route).create(model, argument);
    main.replaceChildren(element('h1', { class: name === '' ? 'unseen' : '' }, view.title), view.element);
    document.title = `${view.title} · ${model.now().fleet.fleet}`;
    for (const { name: own, link } of links) {
      if (own === name) {
        link.setAttribute('aria-current', 'page');
        link.scrollIntoView({ block: 'nearest', inline: 'nearest' }); // where not all of them fit
      } else link.removeAttribute('aria-current');
    }
    if (isFirst) return;
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  };
  addEventListener('hashchange', () => open(false));
  model.listen((changes) => {
    showLink(model);
    view?.update(changes);
  });
  setInterval(() => view?.tick(), 1000);
  open(true);
}

function showLink(model: FleetModel): void {
  const { fleet } = model.now();
  const isWell = model.isConnected() && fleet.isLinkUp;
  const words = model.isConnected() ? (fleet.isLinkUp ? 'live' : 'broker away') : 'aggregator away';
  one('link').className = `link ${isWell ? 'up' : 'down'}`;
  setText(one('link'), fleet.isPaused && isWell ? 'paused' : words);
  setText(one('fleet-name'), fleet.fleet);
}

/** Keys that work everywhere: `/` filters, arrows walk along the boards. */
function startKeys(): void {
  addEventListener('keydown', (event) => {
    const isWriting = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === '/' && !isWriting) {
      const filter = document.getElementById('filter');
      if (filter === null) return;
      filter.focus();
      event.preventDefault();
    }
    const link = document.activeElement?.closest('.virtual .row');
    const isDown = event.key === 'ArrowDown';
    if ((!isDown && event.key !== 'ArrowUp') || !link) return;
    const next = isDown ? link.nextElementSibling : link.previousElementSibling;
    next?.querySelector<HTMLElement>('a')?.focus();
    event.preventDefault();
  });
}

function askForToken(message: string): void {
  const input = element('input', { type: 'password', id: 'token', autocomplete: 'off', required: true });
  const button = element('button', { type: 'submit' }, 'Read the fleet');
  const form = element('form', { class: 'token' }, element('label', { for: 'token' }, 'Token'), input, button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    keepToken(input.value.trim());
    start();
  });
  one('main').replaceChildren(element('h1', {}, 'This aggregator asks who reads'), element('p', {}, message), form);
  input.focus();
}

function start(): void {
  const model = createFleetModel();
  model.start().then(
    () => {
      startRouter(model);
      showLink(model);
    },
    (error: unknown) => {
      if (statusOf(error) === 401) return askForToken('Its settings name the token: http.token or http.tokenFile.');
      const why = error instanceof Error ? error.message : String(error);
      const again = element('button', { type: 'button' }, 'Try again');
      again.addEventListener('click', start);
      one('main').replaceChildren(element('h1', {}, 'The fleet cannot be read'), element('p', {}, why), again);
    },
  );
}

startTheme(one<HTMLButtonElement>('theme'));
startKeys();
start();
