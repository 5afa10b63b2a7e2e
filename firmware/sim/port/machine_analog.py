"""ADC, PWM and DAC; the board knows the volts."""

import wire

_FULL_UV = (950000, 1250000, 1750000, 2450000)  # up to where each attenuation is true (data sheet, table 4-3)


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12

    def __init__(self, pin, *, atten=0):
        self._pin = getattr(pin, "id", pin)
        self._atten = atten

    def init(self, *, atten=0):
        self._atten = atten

    def atten(self, atten):
        self._atten = atten

    def width(self, bits):
        pass

    def read_uv(self):
        return max(0, min(int(wire.ask("adc %d" % self._pin)), _FULL_UV[self._atten]))

    def read_u16(self):
        return self.read_uv() * 65535 // _FULL_UV[self._atten]

    def read(self):
        return self.read_u16() >> 4


class PWM:
    def __init__(self, pin, freq=5000, duty=None, *, duty_u16=None, duty_ns=None):
        self._pin = pin.id
        self._freq = freq
        self._duty = duty_u16 if duty_u16 is not None else (32768 if duty is None else duty * 64)
        self._send()

    def _send(self):
        wire.ask("pwm %d %d %d" % (self._pin, self._freq, self._duty))

    def init(self, *, freq=None, duty_u16=None):
        self.freq(self._freq if freq is None else freq)
        if duty_u16 is not None:
            self.duty_u16(duty_u16)

    def freq(self, hz=None):
        if hz is None:
            return self._freq
        self._freq = hz
        self._send()
        return None

    def duty_u16(self, duty=None):
        if duty is None:
            return self._duty
        self._duty = duty
        self._send()
        return None

    def duty(self, duty=None):
        return self._duty // 64 if duty is None else self.duty_u16(duty * 64)

    def deinit(self):
        self._duty = 0
        self._send()


class DAC:
    def __init__(self, pin):
        self._pin = pin.id

    def write(self, value):
        wire.call("pwm %d 0 %d" % (self._pin, value * 257))
