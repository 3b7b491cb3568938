/**
 * Labels that the fleet's people send a board by MQTT: UTF-8 text on the board's own topic, empty for none.
 * A retained message was said before the board listened, perhaps days ago, and comes anew with each connection: it is passed over.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { LabelDesk } from './label-desk.ts';

const LONGEST_BYTES = 256;

/** @param topic `Topics.label(device)` */
export async function listenForLabels(transport: Transport, topic: string, desk: LabelDesk, log: Log): Promise<void> {
  await transport.subscribe(topic, ({ payload, retained }) => {
    if (retained) return;
    try {
      if (payload.length > LONGEST_BYTES) throw new AppError('usage', `${payload.length} bytes are no label`);
      const text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
      desk.set(text === '' ? null : text, 'mqtt');
    } catch (error) {
      log.warn({ topic, reason: String(error) }, 'label from the fleet not understood');
    }
  });
}
