/**
 * The containers that ffmpeg may open, by its own names. All of them contain their audio. Playlists,
 * manifests, session descriptions and file lists (hls, dash, sdp, concat, …) are excluded because they
 * make ffmpeg open what they name. docker/build-ffmpeg.sh builds exactly these.
 */
export const ffmpegDemuxers = [
  ...['aac', 'ac3', 'adx', 'aiff', 'amr', 'amrnb', 'amrwb', 'ape', 'asf', 'au', 'avi', 'caf', 'dsf', 'dts'],
  ...['dtshd', 'eac3', 'flac', 'flv', 'ircam', 'loas', 'matroska', 'mlp', 'mov', 'mp3', 'mpc', 'mpc8'],
  ...['mpeg', 'mpegts', 'mxf', 'nistsphere', 'nut', 'ogg', 'oma', 'pvf', 'qcp', 'rm', 'shn', 'sox', 'tak'],
  ...['truehd', 'tta', 'voc', 'w64', 'wav', 'wv', 'xwma'],
] as const;
