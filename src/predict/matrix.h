#pragma once
// Short names for the dense matrices of training and serving. Rows are queries unless said
// otherwise.

#include <Eigen/Dense>
#include <span>

namespace rung::predict {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixD = Eigen::MatrixXd;
using Vector = Eigen::VectorXf;
using VectorD = Eigen::VectorXd;
using Index = Eigen::Index;

}  // namespace rung::predict
