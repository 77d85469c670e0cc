// kith/quantize/kmeans.hpp — a few points that stand for many: what lists and codebooks are made of.
//
// It begins with points far apart (k-means++ on a part of the sample) and moves each to the mean of what is nearest to
// it. Nearly all of the time goes into finding the nearest, in tiles and on every thread; sums are made one centroid at
// a time, over its rows in order, so the outcome is the same for any number of threads.
//
// Thread safety: a call works alone, on threads of its own.
// Source: Lloyd, IEEE Trans. Information Theory 28(2), 1982; Arthur & Vassilvitskii, "k-means++", SODA 2007.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/random.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/quantize/centroids.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace kith::inline v0 {

struct KMeansParams {
    std::size_t centroids = 256;
    unsigned iterations = 10;          ///< at most; it ends sooner when a step gains less than `least_gain`
    std::size_t rows_a_centroid = 64;  ///< at most so many rows are looked at for each, chosen at random
    double least_gain = 1e-3;          ///< of the error, as a share of it
};

struct KMeans {
    std::vector<float> values;  ///< rows of `dim` elements, one a centroid
    std::size_t distinct = 0;   ///< centroids some row is nearest to; fewer than asked for where rows repeat
    double error = 0;           ///< mean squared distance of a row from its centroid, one step before the last
};

namespace detail {

/// `wanted` numbers below `count`, rising, each set of them as likely. All of them when wanted is no less than count.
/// Source: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S.
inline std::vector<std::size_t> sample_of(std::size_t count, std::size_t wanted, std::uint64_t seed) {
    std::vector<std::size_t> chosen;
    chosen.reserve(std::min(count, wanted));
    SplitMix64 random(seed);
    for (std::size_t at = 0; at < count && chosen.size() < wanted; ++at) {
        if (count <= wanted || random.below(count - at) < wanted - chosen.size()) chosen.push_back(at);
    }
    return chosen;
}

/// One run of k-means over rows that lie close together.
class KMeansRun {
public:
    KMeansRun(MatrixView rows, const KMeansParams& params, const Training& training)
        : rows_(rows),
          params_(params),
          training_(training),
          isa_(best_isa()),
          nearest_(rows.rows),
          distances_(rows.rows),
          scratch_(std::max(1U, training.threads)) {}

    KMeans run() {
        KMeans made;
        made.values = spread();
        double before = 0;
        for (unsigned step = 0; step < std::max(1U, params_.iterations); ++step) {
            training_.report(share(step, 0));
            find_nearest(Centroids(made.values, rows_.dim, isa_), step);
            made.error = std::accumulate(distances_.begin(), distances_.end(), 0.0) / static_cast<double>(rows_.rows);
            made.distinct = move(made.values);
            if (made.error == 0 || (step > 0 && before - made.error < params_.least_gain * before)) break;
            before = made.error;
        }
        return made;
    }

private:
    [[nodiscard]] double share(unsigned step, double part) const noexcept {
        return (static_cast<double>(step) + part) / std::max(1U, params_.iterations);
    }

    /// Rows that lie apart: each is drawn with a chance proportional to its squared distance from those before it. A
    /// few rows a centroid are enough to draw from.
    std::vector<float> spread() {
        constexpr std::size_t rows_each = 4;
        const std::size_t dim = rows_.dim;
        const std::vector<std::size_t> drawn =
            sample_of(rows_.rows, std::max<std::size_t>(params_.centroids * rows_each, 256), mix64(training_.seed + 1));
        std::vector<float> pool(drawn.size() * dim);
        for (std::size_t i = 0; i < drawn.size(); ++i) std::copy_n(rows_.row(drawn[i]), dim, &pool[i * dim]);

        const Kernels<float> distance = kernels<L2, float>(isa_);
        SplitMix64 random(training_.seed);
        std::vector<float> values;
        values.reserve(params_.centroids * dim);
        std::vector<float> to_new(drawn.size()), to_nearest(drawn.size(), std::numeric_limits<float>::max());
        std::size_t next = static_cast<std::size_t>(random.below(drawn.size()));
        for (std::size_t made = 0; made < params_.centroids; ++made) {
            if (made % 64 == 0) training_.report(0);
            values.insert(values.end(), &pool[next * dim], &pool[next * dim] + dim);
            distance.block(&pool[next * dim], pool.data(), dim, dim, drawn.size(), to_new.data());
            double sum = 0;
            for (std::size_t i = 0; i < drawn.size(); ++i) {
                to_nearest[i] = std::min(to_nearest[i], to_new[i]);
                sum += static_cast<double>(to_nearest[i]);
            }
            double left = random.uniform() * sum;
            next = 0;
            for (std::size_t i = 0; i < drawn.size(); ++i) {
                if (to_nearest[i] > 0) next = i;  // the last that has a chance, should rounding pass the end
                left -= static_cast<double>(to_nearest[i]);
                if (left < 0) break;
            }
        }
        return values;
    }

    void find_nearest(const Centroids& centroids, unsigned step) {
        constexpr std::size_t piece_rows = 480;
        const std::size_t pieces = (rows_.rows + piece_rows - 1) / piece_rows;
        share_work(training_.threads, pieces, [&](std::size_t piece, unsigned thread) {
            if (thread == 0 && piece % 16 == 0) {
                training_.report(share(step, static_cast<double>(piece) / static_cast<double>(pieces)));
            }
            const std::size_t first = piece * piece_rows;
            const MatrixView some{rows_.row(first), std::min(piece_rows, rows_.rows - first), rows_.dim, rows_.stride};
            centroids.nearest(some, &nearest_[first], &distances_[first], scratch_[thread]);
        });
        training_.report(share(step, 1));
    }

    /// Moves each centroid to the mean of its rows, and those without rows to where the error is largest; returns how
    /// many had rows.
    std::size_t move(std::vector<float>& values) {
        const std::size_t dim = rows_.dim;
        std::vector<std::size_t> ends(params_.centroids + 1);
        for (const std::uint32_t centroid : nearest_) ++ends[centroid + 1];
        std::partial_sum(ends.begin(), ends.end(), ends.begin());
        std::vector<std::size_t> order(rows_.rows), next(ends.begin(), ends.end() - 1);
        for (std::size_t row = 0; row < rows_.rows; ++row) order[next[nearest_[row]]++] = row;

        std::vector<double> errors(params_.centroids);
        share_work(training_.threads, params_.centroids, [&](std::size_t centroid, unsigned) {
            const std::size_t count = ends[centroid + 1] - ends[centroid];
            if (count == 0) return;
            std::vector<double> sums(dim);
            for (std::size_t i = ends[centroid]; i < ends[centroid + 1]; ++i) {
                const float* const row = rows_.row(order[i]);
                for (std::size_t d = 0; d < dim; ++d) sums[d] += static_cast<double>(row[d]);
                errors[centroid] += static_cast<double>(distances_[order[i]]);
            }
            for (std::size_t d = 0; d < dim; ++d) {
                values[centroid * dim + d] = static_cast<float>(sums[d] / static_cast<double>(count));
            }
        });

        std::size_t used = 0;
        for (std::size_t centroid = 0; centroid < params_.centroids; ++centroid) {
            if (ends[centroid + 1] > ends[centroid]) {
                ++used;
                continue;
            }
            const auto worst =
                static_cast<std::size_t>(std::max_element(errors.begin(), errors.end()) - errors.begin());
            const auto begin = order.begin() + static_cast<std::ptrdiff_t>(ends[worst]);
            const auto end = order.begin() + static_cast<std::ptrdiff_t>(ends[worst + 1]);
            if (!(errors[worst] > 0)) continue;  // every row lies on a centroid: there is nothing to move to
            const std::size_t farthest = *std::max_element(
                begin, end, [&](std::size_t a, std::size_t b) { return distances_[a] < distances_[b]; });
            std::copy_n(rows_.row(farthest), dim, &values[centroid * dim]);
            errors[worst] -= static_cast<double>(distances_[farthest]);
            distances_[farthest] = 0;
        }
        return used;
    }

    MatrixView rows_;
    const KMeansParams& params_;
    const Training& training_;
    Isa isa_;
    std::vector<std::uint32_t> nearest_;  // of each row
    std::vector<float> distances_;        // of each row to its nearest, squared
    std::vector<ScratchMemory> scratch_;  // one a thread
};

}  // namespace detail

/// Points that stand for `rows`, in no order that means anything.
/// Throws: Errc::invalid_argument for fewer rows than centroids, no centroids or no dimension; Errc::cancelled and what
///         training.progress throws.
/// Cost: 2 · rows looked at · centroids · dim floating-point operations a step.
[[nodiscard]] inline KMeans train_kmeans(MatrixView rows, const KMeansParams& params, const Training& training) {
    if (params.centroids == 0 || rows.dim == 0) {
        raise(Errc::invalid_argument, "k-means needs at least one centroid and one dimension");
    }
    if (rows.rows < params.centroids) {
        raise(Errc::invalid_argument, "k-means cannot find " + std::to_string(params.centroids) + " centroids in " +
                                          std::to_string(rows.rows) + " vectors");
    }
    const std::size_t most = params.centroids * std::max<std::size_t>(1, params.rows_a_centroid);
    if (rows.rows <= most) return detail::KMeansRun(rows, params, training).run();
    const std::vector<std::size_t> chosen = detail::sample_of(rows.rows, most, mix64(training.seed + 2));
    std::vector<float> sample(chosen.size() * rows.dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) std::copy_n(rows.row(chosen[i]), rows.dim, &sample[i * rows.dim]);
    return detail::KMeansRun({sample.data(), chosen.size(), rows.dim, rows.dim}, params, training).run();
}

}  // namespace kith::inline v0
