/** Which rows of `updates` round @taken counted: its own, and those of earlier rounds that came late. Both halves have an index. */
export const TAKEN = '((round = @taken AND taken_in IS NULL) OR taken_in = @taken)';
