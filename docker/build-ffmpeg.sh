#!/bin/sh
# Builds a small ffmpeg for audio from Debian's source package, with Debian's security fixes. It has the
# containers that shared/decode/ffmpeg/ffmpeg-formats.ts allows, all audio decoders and Matroska output,
# but no video, network or devices. It is one program of a few MB; Debian's binary package needs 390 MB
# of video and display libraries. Usage: build-ffmpeg.sh PROGRAM    (needs gcc, make, nasm, dpkg-dev and
# deb-src lines in apt's sources)
set -eu
program=$1
scratch=$(mktemp -d)
cd "$scratch"
apt-get source -qq ffmpeg
cd ffmpeg-*/

containers=aac,ac3,adx,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,ircam,loas,matroska,mlp,mov,mp3
containers=$containers,mpc,mpc8,mpegps,mpegts,mxf,nistsphere,nut,ogg,oma,pvf,qcp,rm,shorten,sox,tak,truehd,tta,voc,w64,wav,wv,xwma
decoders='aac,aac_latm,ac3,eac3,adpcm_*,alac,als,ape,amrnb,amrwb,atrac*,cook,dca,dolby_e,dsd_*,flac,g723_1,g729,gsm,gsm_ms'
decoders="$decoders,mace*,mlp,truehd,mp1*,mp2*,mp3*,mpc*,nellymoser,opus,pcm_*,qcelp,qdm*,ra_*,sipr,speex,tak,truespeech,tta"
decoders="$decoders,shorten,vorbis,wavpack,wma*"
parsers=aac,aac_latm,ac3,cook,dca,dolby_e,flac,g723_1,g729,gsm,mlp,mpegaudio,opus,sipr,tak,vorbis

./configure --disable-everything --disable-autodetect --disable-network --disable-doc --disable-debug \
  --disable-ffplay --disable-ffprobe --disable-avdevice --disable-swscale --disable-postproc \
  --enable-protocol=file,pipe --enable-demuxer="$containers" --enable-decoder="$decoders" --enable-parser="$parsers" \
  --enable-muxer=matroska --enable-encoder=pcm_f32le --enable-filter=aformat,anull,aresample,atrim
make -s -j"$(nproc)" ffmpeg
install -D -s ffmpeg "$program"
rm -rf "$scratch"
