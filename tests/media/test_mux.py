"""Files of write_mp4, read by another reader: pixels, times, tones; and the same bytes each time."""

from fractions import Fraction

import av
import numpy as np
import pytest

from clip_ae.media.mux import write_mp4

RATE = 16000
SILENT = np.zeros((0, RATE), np.float32)


def flat_frames(count, width=64, height=48):
    """Flat frames whose brightness is their number."""
    return [np.full((height, width, 3), 20 + 8 * k, np.uint8) for k in range(count)]


def tone(seconds, *hertz):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.5 * np.sin(2 * np.pi * h * t) for h in hertz]).astype(np.float32)


def decode(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        times = [float(f.pts * f.time_base) for f in frames]
        return times, [f.to_ndarray(format="rgb24") for f in frames], stream.average_rate


def decode_sound(path):
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
        start = float(frames[0].pts * frames[0].time_base)
        return start, np.concatenate([f.to_ndarray() for f in frames], axis=1)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001), Fraction(173, 10)])
def test_constant_rate(tmp_path, rate):
    write_mp4(tmp_path / "a.mp4", flat_frames(20), (64, 48), rate, SILENT, sample_rate=RATE)
    times, frames, average = decode(tmp_path / "a.mp4")
    assert average == rate
    assert times == pytest.approx([float(k / rate) for k in range(20)])
    assert [round(float(f.mean())) for f in frames] == pytest.approx([20 + 8 * k for k in range(20)], abs=2)


def test_frames_have_the_given_times(tmp_path):
    times = [0.0, 0.04, 0.123, 0.2, 0.5, 0.533, 1.001]
    write_mp4(tmp_path / "a.mp4", flat_frames(7), (64, 48), times, SILENT, sample_rate=RATE)
    assert decode(tmp_path / "a.mp4")[0] == pytest.approx(times, abs=1e-4)


def test_odd_size_is_kept(tmp_path):
    frame = np.zeros((47, 63, 3), np.uint8)
    frame[:, 40:] = (200, 40, 40)
    write_mp4(tmp_path / "a.mp4", [frame] * 3, (63, 47), Fraction(25), SILENT, sample_rate=RATE)
    shown = decode(tmp_path / "a.mp4")[1][0]
    assert shown.shape == (47, 63, 3)
    assert np.abs(shown.astype(int) - frame).mean() < 4


def test_no_sound_no_track(tmp_path):
    write_mp4(tmp_path / "a.mp4", flat_frames(3), (64, 48), Fraction(25), SILENT, sample_rate=RATE)
    with av.open(tmp_path / "a.mp4") as container:
        assert not container.streams.audio


@pytest.mark.parametrize("hertz", [(440,), (440, 1000)])
def test_each_channel_keeps_its_tone(tmp_path, hertz):
    write_mp4(tmp_path / "a.mp4", flat_frames(25), (64, 48), Fraction(25), tone(1, *hertz), sample_rate=RATE)
    _, wave = decode_sound(tmp_path / "a.mp4")
    assert [int(np.argmax(np.abs(np.fft.rfft(channel[:RATE])))) for channel in wave] == list(hertz)


def test_sound_is_heard_when_it_was_made(tmp_path):
    wave = np.zeros((1, RATE), np.float32)
    wave[0, RATE // 2 : RATE // 2 + 400] = tone(0.025, 800)[0]
    write_mp4(tmp_path / "a.mp4", flat_frames(25), (64, 48), Fraction(25), wave, sample_rate=RATE)
    first, audio = decode_sound(tmp_path / "a.mp4")
    delay = np.argmax(np.correlate(audio[0], wave[0, RATE // 2 : RATE // 2 + 400])) / RATE
    assert first + delay == pytest.approx(0.5, abs=2e-3)


def test_audio_is_next_to_its_frames_in_the_file(tmp_path):
    """A streaming reader finds the audio of a frame near the frame in the file, for a file of any length."""
    write_mp4(tmp_path / "a.mp4", flat_frames(20) * 40, (64, 48), Fraction(25), tone(32, 440), sample_rate=RATE)
    with av.open(tmp_path / "a.mp4") as container:
        packets = [(p.pos, p.stream.type, float(p.pts * p.time_base)) for p in container.demux() if p.size]
    audio = 0.0
    for _, kind, time in sorted(packets):
        if kind == "audio":
            audio = time
        else:
            assert abs(time - audio) < 3


def test_equal_input_gives_equal_bytes(tmp_path):
    """Moving shapes with light noise: on such videos x264's look-ahead for B-frames is not repeatable."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    moving = np.stack([127 + 60 * np.sin((x + 3 * k) / 9) * np.sin((y - k) / 14) for k in range(60)])
    frames = np.clip(moving[..., None] + rng.normal(0, 3, (60, 120, 160, 3)), 0, 255).astype(np.uint8)
    written = set()
    for _ in range(4):
        write_mp4(tmp_path / "a.mp4", frames, (160, 120), Fraction(25), tone(2.4, 300, 500), sample_rate=RATE)
        written.add((tmp_path / "a.mp4").read_bytes())
    assert len(written) == 1


def test_interrupted_writing_leaves_no_file(tmp_path):
    def cut():
        yield from flat_frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(tmp_path / "a.mp4", cut(), (64, 48), Fraction(25), SILENT, sample_rate=RATE)
    assert not list(tmp_path.iterdir())
