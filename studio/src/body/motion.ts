import type { Channel, Profile } from '../player/avatar';
import { curves } from '../player/curves';

/** A body's motion in the channels of the house figure. */
export interface BodyMotion {
  profile: Profile;
  at(seconds: number): Float32Array;
}

/** Read the answer of `/api/takes/ID/curves?avatar=house`. */
export function bodyMotion(buffer: ArrayBuffer): BodyMotion {
  const length = new DataView(buffer).getUint32(0, true);
  const { channels } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as { channels: Channel[] };
  const motion = curves(buffer);
  const first = motion.at(0);
  return { profile: { channels, rest: [...first] }, at: (seconds) => motion.at(seconds) };
}
