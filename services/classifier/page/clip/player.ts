import { byId } from '../elements/dom.js';
import { clockTime } from '../elements/text.js';

/** Plays a recording and shows the position. */
export interface Player {
  load(recording: Blob, durationSeconds: number): void;
  seek(seconds: number): void;
}

/** @param onPosition called with the position in seconds while the recording plays */
export function createPlayer(onPosition: (seconds: number) => void): Player {
  const audio = new Audio();
  const button = byId('play', HTMLButtonElement);
  const time = byId('time', HTMLElement);
  const position = byId('position', HTMLInputElement);
  let duration = 0;
  let url: string | undefined;

  const show = (): void => {
    const at = audio.currentTime;
    position.value = String(at);
    position.style.setProperty('--share', String(duration === 0 ? 0 : Math.min(1, at / duration)));
    position.setAttribute('aria-valuetext', `${clockTime(at)} of ${clockTime(Math.round(duration))}`);
    time.textContent = `${clockTime(at)} / ${clockTime(Math.round(duration))}`;
    onPosition(at);
  };
  const follow = (): void => {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const showState = (): void => {
    button.dataset['playing'] = String(!audio.paused);
    button.setAttribute('aria-label', audio.paused ? 'Play' : 'Pause');
    follow();
  };
  for (const event of ['play', 'pause', 'ended', 'seeked'] as const) audio.addEventListener(event, showState);
  audio.addEventListener('error', () => {
    button.disabled = true;
    button.title = 'This browser cannot play this kind of file';
  });
  button.addEventListener('click', () => {
    if (audio.paused) void audio.play().catch(() => undefined);
    else audio.pause();
  });
  position.addEventListener('input', () => {
    audio.currentTime = Number(position.value);
    show();
  });

  return {
    load(recording, durationSeconds) {
      if (url !== undefined) URL.revokeObjectURL(url);
      url = URL.createObjectURL(recording);
      duration = durationSeconds;
      button.disabled = false;
      button.title = '';
      audio.src = url;
      position.max = String(durationSeconds);
      showState();
    },
    seek(seconds) {
      audio.currentTime = seconds;
      show();
    },
  };
}
