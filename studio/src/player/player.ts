/**
 * Plays motet's curves on a glTF or VRM avatar, from a file or live.
 *
 * Names are matched on the server: a profile lists what of the avatar each number drives, so that
 * this module only sets values. It needs the loaded avatar and nothing else.
 *
 * @example
 * const avatar = attach(gltf, await (await fetch('/api/avatars/house/profile')).json());
 * const take = curves(await (await fetch('/api/takes/ID/curves?avatar=house')).arrayBuffer());
 * avatar.pose(take.at(audio.currentTime));
 */
export { attach, type Avatar, type Channel, type Profile } from './avatar';
export { curves, type Curves } from './curves';
export { connect, type Live, type LiveOptions, type Ready, type Stats } from './live';
