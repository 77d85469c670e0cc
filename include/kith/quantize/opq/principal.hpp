// kith/quantize/opq/principal.hpp — the directions data lie along, dealt to pieces so that each has as much to say.
//
// The error of a codebook of k words over a normal distribution of few dimensions goes with the product of the
// variances along its directions, so pieces of equal products lose least in all.
//
// Source: Ge, He, Ke & Sun, "Optimized product quantization", IEEE TPAMI 36(4), 2014, section 4 (allocation); Hestenes,
// "Inversion of matrices by biorthogonalization and related results", J. SIAM 6(1), 1958; Brent & Luk, "The solution of
// singular-value and symmetric eigenvalue problems on multiprocessor arrays", 1985 (the order of pairs).
#pragma once

#include "kith/core/parallel.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/quantize/opq/matrix.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

struct Principal {
    Matrix directions;              // one a row, at right angles
    std::vector<double> variances;  // along each
};

/// Turns pairs of rows of a symmetric matrix until all are at right angles; the turns are then the directions.
class JacobiRun {
public:
    explicit JacobiRun(const Matrix& covariance)
        : width_(covariance.rows),
          distance_(kernels<InnerProduct, float>(best_isa())),
          rows_(width_, 2 * width_),
          squares_(width_) {
        for (std::size_t i = 0; i < width_; ++i) {
            std::copy_n(covariance.row(i), width_, rows_.row(i));
            rows_.row(i)[width_ + i] = 1;
        }
    }

    /// Throws: what training.progress throws, Errc::cancelled, std::bad_alloc.
    Principal run(const Training& training) {
        constexpr unsigned most_sweeps = 8;
        for (unsigned sweep = 0; sweep < most_sweeps; ++sweep) {
            for (std::size_t i = 0; i < width_; ++i) squares_[i] = product(i, i);
            if (!turn_all_pairs(training, sweep / static_cast<double>(most_sweeps), 1.0 / most_sweeps)) break;
        }
        Principal found{Matrix(width_, width_), std::vector<double>(width_)};
        for (std::size_t i = 0; i < width_; ++i) {
            std::copy_n(rows_.row(i) + width_, width_, found.directions.row(i));
            found.variances[i] = std::sqrt(std::max(0.0, product(i, i)));
        }
        return found;
    }

private:
    /// As in a tournament: rounds in which each row meets another, so that the pairs of a round are apart.
    bool turn_all_pairs(const Training& training, double done, double share) {
        const std::size_t players = width_ + width_ % 2;  // the last of an odd number meets nobody
        std::atomic<bool> any = false;
        for (std::size_t round = 0; round + 1 < players; ++round) {
            training.report(done + share * static_cast<double>(round) / static_cast<double>(players));
            share_work(training.threads, players / 2, [&](std::size_t pair, unsigned) {
                const std::size_t cycle = players - 1;
                const std::size_t first = pair == 0 ? cycle : (round + pair) % cycle;
                const std::size_t second = (round + cycle - pair) % cycle;
                if (std::max(first, second) < width_ && turn(first, second)) any.store(true);
            });
        }
        return any.load();
    }

    bool turn(std::size_t p, std::size_t q) noexcept {
        constexpr double right_angle = 1e-3;  // near enough for a start that is bettered afterwards
        const double between = product(p, q);
        if (!(std::abs(between) > right_angle * std::sqrt(squares_[p] * squares_[q]))) return false;
        const double half = (squares_[q] - squares_[p]) / (2 * between);
        const double tangent = (half < 0 ? -1 : 1) / (std::abs(half) + std::sqrt(1 + half * half));
        const double cosine = 1 / std::sqrt(1 + tangent * tangent);
        const auto c = static_cast<float>(cosine);
        const auto s = static_cast<float>(cosine * tangent);
        float* const a = rows_.row(p);
        float* const b = rows_.row(q);
        for (std::size_t i = 0; i < 2 * width_; ++i) {
            const float before = a[i];
            a[i] = c * before - s * b[i];
            b[i] = s * before + c * b[i];
        }
        squares_[p] = std::max(0.0, squares_[p] - tangent * between);
        squares_[q] = std::max(0.0, squares_[q] + tangent * between);
        return true;
    }

    [[nodiscard]] double product(std::size_t p, std::size_t q) const noexcept {
        float negative = 0;
        distance_.block(rows_.row(p), rows_.row(q), width_, width_, 1, &negative);
        return -static_cast<double>(negative);
    }

    std::size_t width_;
    Kernels<float> distance_;
    Matrix rows_;                  // of the matrix as it is turned, and behind each the turns so far
    std::vector<double> squares_;  // lengths of the first halves
};

/// The directions as rows, those of piece 0 first: the longest go round, each to the piece with the least product that
/// has room. Requires: pieces divides the number of directions.
inline Matrix dealt_to_pieces(const Principal& principal, std::size_t pieces) {
    const std::size_t width = principal.variances.size();
    const std::size_t room = width / pieces;
    const double total = std::accumulate(principal.variances.begin(), principal.variances.end(), 0.0);
    const double least = 1e-9 * total + 1e-300;  // what varies less is noise
    std::vector<std::size_t> order(width);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return principal.variances[a] > principal.variances[b]; });
    Matrix made(width, width);
    std::vector<double> logarithms(pieces);
    std::vector<std::size_t> taken(pieces);
    for (const std::size_t direction : order) {
        std::size_t best = pieces;
        for (std::size_t piece = 0; piece < pieces; ++piece) {
            if (taken[piece] < room && (best == pieces || logarithms[piece] < logarithms[best])) best = piece;
        }
        std::copy_n(principal.directions.row(direction), width, made.row(best * room + taken[best]++));
        logarithms[best] += std::log(std::max(principal.variances[direction] / least, 1.0));
    }
    return made;
}

}  // namespace kith::inline v0::detail
