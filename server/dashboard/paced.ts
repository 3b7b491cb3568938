/** Does something at once and then at most once in a while, however often it is asked for; what was asked last is always done. */

export interface Paced {
  soon(): void;
  stop(): void;
}

export function createPaced(act: () => void, everyMs: number): Paced {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isAsked = false;
  const run = () => {
    isAsked = false;
    act();
    timer = setTimeout(() => {
      timer = null;
      if (isAsked) run();
    }, everyMs);
  };
  return {
    soon() {
      isAsked = true;
      if (timer === null) run();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      isAsked = false;
    },
  };
}
