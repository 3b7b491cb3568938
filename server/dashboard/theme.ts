/** Light, dark, or as the system has it. What draws on a canvas is told when colours change. */

const KEPT = 'qqr-theme';
const listeners = new Set<() => void>();

export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Wires the switch and takes up what was chosen before. */
export function startTheme(button: HTMLButtonElement): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  const isDark = () => (root.dataset['theme'] ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const show = () => {
    button.setAttribute('aria-pressed', String(isDark()));
    for (const listener of listeners) listener();
  };
  const kept = localStorage.getItem(KEPT);
  if (kept === 'light' || kept === 'dark') root.dataset['theme'] = kept;
  button.addEventListener('click', () => {
    root.dataset['theme'] = isDark() ? 'light' : 'dark';
    localStorage.setItem(KEPT, root.dataset['theme']);
    show();
  });
  system.addEventListener('change', show);
  show();
}
