"""Water chemistry against the published check values."""

from app.sensors.water import conductivity_25, nernst_mv, oxygen_mg_l, ph_fit, ph_of
from fakes import near
from scaffold import raises

BUFFERS = [(172.0, 4.01, 25.0), (-3.0, 7.00, 25.0), (-175.0, 10.01, 25.0)]


def test_oxygen_saturation_of_fresh_water():
    for celsius, wanted in ((0, 14.621), (10, 11.288), (20, 9.092), (25, 8.263), (30, 7.559)):
        assert near(oxygen_mg_l(celsius), wanted, 0.002)  # 0.0016 is what single precision costs


def test_salt_and_height_lower_it():
    assert near(oxygen_mg_l(20, salinity=35), 7.396, 0.002)
    assert near(oxygen_mg_l(20, pascal=0.9 * 101325), 8.162, 0.002)


def test_conductivity_at_25_degrees():
    assert near(conductivity_25(500, 10), 700.8, 0.05)
    assert near(conductivity_25(500, 25), 500, 1e-3)


def test_the_slope_of_nernst():
    assert near(nernst_mv(25), 59.158, 0.001) and near(nernst_mv(10), 56.181, 0.001)


def test_the_fit_of_three_buffers():
    offset, acid, base = ph_fit(BUFFERS)
    assert near(offset, -3.0, 0.001) and near(acid, 98.9, 0.05) and near(base, 96.6, 0.05)
    assert near(ph_of(80.0, 12.0, offset, acid, base), 5.517, 0.001)


def test_the_fit_gives_the_buffers_back_in_any_order():
    for points in (BUFFERS, BUFFERS[::-1], BUFFERS[:2], BUFFERS[1:]):
        fit = ph_fit(points)
        for mv, ph, celsius in points:
            assert near(ph_of(mv, celsius, *fit), ph, 0.001)


def test_buffers_of_686_are_carried_to_7():
    points = [(10.0 + (7 - ph) * nernst_mv(25) * 0.95, ph, 25.0) for ph in (6.86, 4.00, 9.18)]
    offset, acid, base = ph_fit(points)
    assert near(offset, 10.0, 0.05) and near(acid, 95, 0.1) and near(base, 95, 0.1)


def test_a_missing_buffer_is_named():
    assert "near pH 7" in str(raises(ValueError, ph_fit, [(172.0, 4.01, 25.0), (-175.0, 10.01, 25.0)]))
    raises(ValueError, ph_fit, [(-3.0, 7.0, 25.0)])
    raises(ValueError, ph_fit, [(-3.0, 7.0, 25.0), (-3.0, 7.1, 25.0)])
