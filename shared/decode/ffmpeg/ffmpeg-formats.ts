/**
 * The containers that ffmpeg may open, by its own names. All of them hold their sound themselves: playlists, manifests, session
 * descriptions and lists of files (hls, dash, sdp, concat, …), which make ffmpeg open what they name, are not among them.
 * docker/build-ffmpeg.sh builds these and no others.
 */
export const ffmpegDemuxers = [
  ...['aac', 'ac3', 'adx', 'aiff', 'amr', 'amrnb', 'amrwb', 'ape', 'asf', 'au', 'avi', 'caf', 'dsf', 'dts'],
  ...['dtshd', 'eac3', 'flac', 'flv', 'ircam', 'loas', 'matroska', 'mlp', 'mov', 'mp3', 'mpc', 'mpc8'],
  ...['mpeg', 'mpegts', 'mxf', 'nistsphere', 'nut', 'ogg', 'oma', 'pvf', 'qcp', 'rm', 'shn', 'sox', 'tak'],
  ...['truehd', 'tta', 'voc', 'w64', 'wav', 'wv', 'xwma'],
] as const;
