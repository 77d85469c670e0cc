// kith/index/ivf/model.hpp — what an inverted file has learned: where its lists lie, and the codes of what is in them.
//
// What a list holds of a vector is up to Codes (no_codes.hpp, pq_codes.hpp, rabitq_codes.hpp); the lists, the blocks
// and the search around them know only what IvfCodes asks for.
//
// Thread safety: immutable once trained.
// Source: Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011, section IV (codes of residuals).
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/index/ivf/params.hpp"
#include "kith/index/raw_rows.hpp"
#include "kith/quantize/centroids.hpp"
#include "kith/quantize/kmeans.hpp"
#include "kith/quantize/training.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

template <class R>
struct MetricOf;
template <class T, class M>
struct MetricOf<RawRows<T, M>> {
    using type = M;
};

template <class R>
inline constexpr bool is_cosine_rows = std::same_as<typename MetricOf<R>::type, Cosine>;
template <class R>
inline constexpr bool is_product_rows = std::same_as<typename MetricOf<R>::type, InnerProduct>;

/// Writes the vector of a row as lists see it: of length one under Cosine, as it is otherwise.
template <class R>
void prepare_row(const R& rows, Slot slot, float* out) noexcept {
    rows.decode(slot, out);
    if constexpr (is_cosine_rows<R>) {
        const float scale = rows.inverse_norm(slot);
        for (std::size_t d = 0; d < rows.dim(); ++d) out[d] *= scale;
    }
}

/// How a metric compares vectors as lists see them: ½ weight · ‖x − y‖², or −⟨x, y⟩ when it is a product.
struct IvfForm {
    bool product = false;
    float weight = 2;
};

template <class R>
inline constexpr IvfForm form_of{is_product_rows<R>, is_cosine_rows<R> || is_product_rows<R> ? 1.0F : 2.0F};

/// What codes are trained with. The sample's vectors are as lists see them.
struct IvfLesson {
    const Centroids& centroids;
    MatrixView sample;
    const IvfParams& params;
    IvfForm form;
    const Training& training;
};

/// Sizes of what codes keep in an image, in elements.
struct IvfParts {
    std::uint64_t mean = 0;          // floats
    std::uint64_t words = 0;         // floats
    std::uint64_t record_bytes = 0;  // a multiple of 64
};

struct IvfHeader;

/// Codes say what a list holds of each vector besides its slot, and how a search reads it.
///   coded         whether it is anything at all; if not, an Encoder can do nothing
///   content       what an image calls it: at most 8 letters
///   train         learns from a lesson; check() refuses parameters before anything is learned
///   Encoder       (codes, centroids, form): the caller puts a vector at vector(), put(list, record, at) writes its
///   code Scan<R>       one search: read(blocks, at) reads the list that is number `at` in order, found() is how many
///                 vectors it has, finish(blocks) ends it; see search.hpp
///   pieces_for    how many pieces a code has: the sub-vectors of a header
///   parts         of a header whose numbers are possible(); describe() and load() are each other's inverse
template <class C>
concept IvfCodes = requires(const C& codes, IvfHeader& header, const IvfLesson& lesson, std::vector<float> floats) {
    { C::coded } -> std::convertible_to<bool>;
    { C::content } -> std::convertible_to<std::string_view>;
    { C::train(lesson) } -> std::same_as<C>;
    { C::check(lesson.params, std::size_t{1}) } -> std::same_as<void>;
    { C::pieces_for(lesson.params, std::size_t{1}) } -> std::same_as<std::size_t>;
    { C::possible(std::as_const(header)) } -> std::same_as<bool>;
    { C::parts(std::as_const(header)) } -> std::same_as<IvfParts>;
    { C::load(std::as_const(header), floats, floats) } -> std::same_as<C>;
    { codes.describe(header) } -> std::same_as<void>;
    { codes.mean() } -> std::same_as<const std::vector<float>&>;
    { codes.words() } -> std::same_as<const std::vector<float>&>;
    { codes.record_bytes() } -> std::same_as<std::size_t>;
};

template <IvfCodes Codes>
struct IvfModel {
    Centroids centroids;
    Codes codes;
    double trained_error = 0;  // mean squared distance of the sample from its centroids

    [[nodiscard]] std::size_t dim() const noexcept { return centroids.dim(); }
    [[nodiscard]] std::size_t lists() const noexcept { return centroids.size(); }
};

/// The mean of the rows.
inline std::vector<float> mean_of_sample(MatrixView sample) {
    std::vector<double> sums(sample.dim);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        for (std::size_t d = 0; d < sample.dim; ++d) sums[d] += static_cast<double>(sample.row(row)[d]);
    }
    std::vector<float> mean;
    for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(sample.rows)));
    return mean;
}

/// Learns from the first `count` rows.
/// Throws: Errc::invalid_argument for parameters that do not fit; Errc::cancelled; what progress throws.
template <IvfCodes Codes, class R>
IvfModel<Codes> train_ivf(const R& rows, Slot count, const IvfParams& params, const Training& training) {
    const std::size_t dim = rows.dim();
    const std::size_t lists = params.lists_for(count);
    if (lists > IvfParams::most_lists || params.subvectors > IvfParams::most_subvectors) {
        raise(Errc::invalid_argument, "Ivf takes up to " + std::to_string(IvfParams::most_lists) + " lists and " +
                                          std::to_string(IvfParams::most_subvectors) + " sub-vectors");
    }
    Codes::check(params, dim);
    if (count < lists) {
        raise(Errc::invalid_argument,
              "Ivf cannot make " + std::to_string(lists) + " lists of " + std::to_string(count) + " vectors");
    }
    constexpr std::size_t rows_a_list = 64;
    const std::vector<std::size_t> chosen = sample_of(count, lists * rows_a_list, mix64(training.seed));
    std::vector<float> sample(chosen.size() * dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) prepare_row(rows, static_cast<Slot>(chosen[i]), &sample[i * dim]);
    const MatrixView view{sample.data(), chosen.size(), dim, dim};

    constexpr double for_lists = 0.8;  // of the time
    Training part = training;
    if (training.progress) part.progress = [&](double done) { return training.progress(done * for_lists); };
    const KMeans made =
        train_kmeans(view, {.centroids = lists, .iterations = 10, .rows_a_centroid = rows_a_list}, part);
    IvfModel<Codes> model;
    model.centroids = Centroids(made.values, dim);
    model.trained_error = made.error;
    if (training.progress) {
        part.progress = [&](double done) { return training.progress(for_lists + done * (1 - for_lists)); };
    }
    model.codes = Codes::train({model.centroids, view, params, form_of<R>, part});
    return model;
}

}  // namespace kith::inline v0::detail
