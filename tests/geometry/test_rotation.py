import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from motet.geometry import rotation as R

numbers = st.floats(-3.0, 3.0, allow_nan=False, width=32)
vectors = st.tuples(numbers, numbers, numbers)


def vector(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@settings(max_examples=50, deadline=None)
@given(vectors)
def test_matrix_is_a_rotation(values):
    matrix = R.matrix_from_axis_angle(vector(values))
    torch.testing.assert_close(
        matrix @ matrix.T, torch.eye(3, dtype=torch.float64), atol=1e-12, rtol=0
    )
    assert math.isclose(float(torch.det(matrix)), 1.0, abs_tol=1e-12)


@settings(max_examples=50, deadline=None)
@given(vectors)
def test_matrix_is_the_exponential_of_the_cross_product(values):
    # Not torch.matrix_exp, which is 2e-11 off the sine at small angles.
    expected = torch.from_numpy(expm(R.skew(vector(values)).numpy()))
    torch.testing.assert_close(
        R.matrix_from_axis_angle(vector(values)), expected, atol=1e-11, rtol=0
    )


@settings(max_examples=50, deadline=None)
@given(vectors)
def test_every_form_comes_back_to_the_same_matrix(values):
    matrix = R.matrix_from_axis_angle(vector(values))
    back = {
        "axis-angle": R.matrix_from_axis_angle(R.axis_angle_from_matrix(matrix)),
        "quaternion": R.matrix_from_quaternion(R.quaternion_from_matrix(matrix)),
        "quaternion of axis-angle": R.matrix_from_quaternion(
            R.quaternion_from_axis_angle(vector(values))
        ),
        "6d rows": R.matrix_from_6d_rows(R.rotation_6d_rows(matrix)),
        "6d columns": R.matrix_from_6d_columns(R.rotation_6d_columns(matrix)),
    }
    for name, result in back.items():
        torch.testing.assert_close(result, matrix, atol=1e-9, rtol=0, msg=name)


@settings(max_examples=40, deadline=None)
@given(vectors, st.permutations("XYZ").map("".join))
def test_euler_angles_come_back(values, order):
    angles = vector(values) * torch.tensor([1.0, 0.49, 1.0], dtype=torch.float64)
    matrix = R.matrix_from_euler(angles, order)
    torch.testing.assert_close(
        R.matrix_from_euler(R.euler_from_matrix(matrix, order), order), matrix, atol=1e-9, rtol=0
    )


def test_euler_names_its_axes_from_the_left():
    quarter = math.pi / 2
    expected = R.matrix_from_axis_angle(vector([0, 0, quarter])) @ R.matrix_from_axis_angle(
        vector([quarter, 0, 0])
    )
    torch.testing.assert_close(
        R.matrix_from_euler(vector([quarter, quarter, 0]), "ZXY"), expected, atol=1e-12, rtol=0
    )
    with pytest.raises(ValueError, match="permutation"):
        R.matrix_from_euler(vector([0, 0, 0]), "XYX")


def test_rows_and_columns_differ_as_named():
    matrix = R.matrix_from_axis_angle(vector([0.3, -0.5, 0.9]))
    torch.testing.assert_close(R.rotation_6d_rows(matrix), torch.cat([matrix[0], matrix[1]]))
    torch.testing.assert_close(
        R.rotation_6d_columns(matrix), torch.cat([matrix[:, 0], matrix[:, 1]])
    )


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-3, 0.0099, 0.0101, 1.0, math.pi - 1e-6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_and_right_near_zero(size, dtype):
    start = (torch.tensor([0.6, -0.64, 0.48], dtype=dtype) * size).requires_grad_()
    for function in (
        R.matrix_from_axis_angle,
        R.quaternion_from_axis_angle,
        lambda v: R.axis_angle_from_quaternion(R.quaternion_from_axis_angle(v)),
        lambda v: R.axis_angle_from_matrix(R.matrix_from_axis_angle(v)),
        lambda v: R.matrix_from_6d_rows(R.rotation_6d_rows(R.matrix_from_axis_angle(v))),
    ):
        result = function(start)
        factor = torch.arange(1.0, 1 + result.numel(), dtype=dtype).view_as(result)
        (gradient,) = torch.autograd.grad((result * factor).sum(), start)
        assert torch.isfinite(gradient).all()
    if dtype is torch.float64:
        assert torch.autograd.gradcheck(R.matrix_from_axis_angle, (start,), atol=1e-5)
        assert torch.autograd.gradcheck(R.quaternion_from_axis_angle, (start,), atol=1e-5)


def test_batch_axes_pass_through():
    values = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    matrices = R.matrix_from_axis_angle(values)
    assert matrices.shape == (2, 5, 3, 3)
    torch.testing.assert_close(matrices[1, 3], R.matrix_from_axis_angle(values[1, 3]))
    assert R.axis_angle_from_matrix(matrices).shape == (2, 5, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_6d_rows_of_zero_give_finite_gradients(dtype):
    rows = torch.zeros(6, dtype=dtype, requires_grad=True)
    (gradient,) = torch.autograd.grad(R.matrix_from_6d_rows(rows).sum(), rows)
    assert torch.isfinite(gradient).all()


def test_quaternions_have_their_real_part_first():
    half = torch.tensor([0.0, 0.0, math.pi / 2], dtype=torch.float64)
    expected = vector([math.cos(math.pi / 4), 0, 0, math.sin(math.pi / 4)])
    torch.testing.assert_close(R.quaternion_from_axis_angle(half), expected)
    torch.testing.assert_close(R.quaternion_from_matrix(R.matrix_from_axis_angle(half)), expected)
    torch.testing.assert_close(R.axis_angle_from_quaternion(-3 * expected), half)
