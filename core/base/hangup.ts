/**
 * SIGHUP, which means two things: a service is told to read its files again (`systemctl reload`); a program in a terminal is told that the
 * terminal has been closed, and should end with it.
 */
export interface HangupActions {
  reload(): void;
  end(): void;
}

/** Listens until the function that it returns is called. @param isInTerminal whether standard input is a terminal */
export function onHangup(isInTerminal: boolean, { reload, end }: HangupActions): () => void {
  const listener = isInTerminal ? end : reload;
  process.on('SIGHUP', listener);
  return () => void process.off('SIGHUP', listener);
}
