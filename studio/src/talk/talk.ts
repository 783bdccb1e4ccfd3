/** The script inside `talk.html`: a figure, its sound and its motion, all within one file. */
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';

import { attach, type Channel, type LoadedAvatar } from '../player/avatar';
import { curves } from '../player/curves';
import { Stage, type View } from '../stage/scene';

/** The bytes of a part of the page: base64, packed where its type says so. */
async function part(id: string): Promise<ArrayBuffer> {
  const { textContent, dataset } = document.getElementById(id)!;
  const packed = Uint8Array.from(atob(textContent!), (letter) => letter.charCodeAt(0));
  if (dataset.packed === undefined) return packed.buffer;
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function begin() {
  const [figure, motion] = await Promise.all([part('figure'), part('motion')]);
  const length = new DataView(motion).getUint32(0, true);
  const { channels } = JSON.parse(new TextDecoder().decode(new Uint8Array(motion, 4, length))) as { channels: Channel[] };
  const take = curves(motion);
  const gltf = await new GLTFLoader().parseAsync(figure, '');
  const avatar = attach(gltf as unknown as LoadedAvatar, { channels, rest: [...take.at(0)] });

  const voice = document.querySelector('audio')!;
  const sound = document.getElementById('sound');
  if (sound) voice.src = URL.createObjectURL(new Blob([await part('sound')], { type: sound.dataset.type! }));
  else voice.hidden = true;
  const start = document.querySelector<HTMLButtonElement>('#start')!;
  const duration = take.frames / take.fps;
  let began = 0; // of a take without sound
  const seconds = () => (sound ? voice.currentTime : began ? ((performance.now() - began) / 1000) % duration : 0);

  const stage = new Stage(document.querySelector('canvas')!);
  stage.beforeDraw = () => {
    avatar.pose(take.at(seconds()));
    return sound ? !voice.paused : Boolean(began);
  };
  stage.onDrawn = () => document.body.classList.add('drawn');
  let head = gltf.scene.getObjectByName('head');
  gltf.scene.traverse((node) => (head = node.userData.name === 'head' ? node : head));
  stage.show(gltf.scene, head);
  stage.look((document.body.dataset.view ?? 'front') as View);

  const draw = () => stage.draw();
  for (const event of ['play', 'seeked', 'timeupdate']) voice.addEventListener(event, draw);
  voice.addEventListener('play', () => (start.hidden = true));
  start.hidden = false;
  start.onclick = () => {
    start.hidden = true;
    if (sound) void voice.play();
    else began = performance.now();
    draw();
  };
}

begin().catch((error: unknown) => {
  document.querySelector('#problem')!.textContent = `The figure cannot be shown: ${String(error)}`;
});
