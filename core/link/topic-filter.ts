/** Topic filters of MQTT 3.1.1 §4.7: `+` stands for one level, a last `#` for all that follow and for their parent. */

/** Whether a topic is one that the filter asks for. Wildcards at the start do not match `$…` topics (§4.7.2). */
export function matchesFilter(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true;
    if (i >= levels.length || (wanted[i] !== '+' && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
