// benchmarks/ann/dataset.cpp — the file formats, one function each.
#include "dataset.hpp"

#include "kith/index.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace ann {
namespace {

using Bytes = std::vector<unsigned char>;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
    throw std::runtime_error(file.string() + ": " + what);
}

/// The whole file, unpacked when its name says so.
Bytes read(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) fail(file, "missing");
    const std::string extension = file.extension().string();
    const std::string program = extension == ".zst" ? "zstd -dcq" : extension == ".gz" ? "gzip -dc" : "cat";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((program + " '" + file.string() + "'").c_str(), "r"),
                                                     pclose);
    if (!pipe) fail(file, "cannot run " + program);
    Bytes bytes;
    Bytes block(std::size_t{1} << 20);
    for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), pipe.get())) > 0;) {
        bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got));
    }
    if (bytes.empty()) fail(file, "empty, or " + program + " failed");
    return bytes;
}

std::uint32_t u32(const unsigned char* bytes) {
    return bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
}

/// Rows of fvecs or ivecs: a 32-bit length before each row.
template <class T>
std::vector<T> vecs(const std::filesystem::path& file, std::size_t& dim) {
    const Bytes bytes = read(file);
    dim = bytes.size() < 4 ? 0 : u32(bytes.data());
    const std::size_t row_bytes = 4 * (dim + 1);
    if (dim == 0 || bytes.size() % row_bytes != 0) fail(file, "not rows of one length");
    std::vector<T> values(bytes.size() / row_bytes * dim);
    for (std::size_t row = 0; row * row_bytes < bytes.size(); ++row) {
        if (u32(bytes.data() + row * row_bytes) != dim) fail(file, "rows differ in length");
        std::memcpy(values.data() + row * dim, bytes.data() + row * row_bytes + 4, 4 * dim);
    }
    return values;
}

/// The header `rows:u32 dim:u32` of the compact formats, and `width` bytes a value behind it.
std::size_t compact_header(const std::filesystem::path& file, const Bytes& bytes, std::size_t width, Matrix& matrix) {
    const std::size_t rows = bytes.size() < 8 ? 0 : u32(bytes.data());
    matrix.dim = rows == 0 ? 0 : u32(bytes.data() + 4);
    if (matrix.dim == 0 || bytes.size() != 8 + rows * matrix.dim * width) fail(file, "size does not fit its header");
    matrix.values.resize(rows * matrix.dim);
    return matrix.values.size();
}

Matrix u8_values(const std::filesystem::path& file) {
    const Bytes bytes = read(file);
    Matrix matrix;
    const std::size_t count = compact_header(file, bytes, 1, matrix);
    for (std::size_t i = 0; i < count; ++i) matrix.values[i] = static_cast<float>(bytes[8 + i]);
    return matrix;
}

Matrix i8_values(const std::filesystem::path& file) {
    Matrix matrix = u8_values(file);
    for (float& value : matrix.values) value = value < 128 ? value : value - 256;
    return matrix;
}

/// All low bytes, then all high bytes, of value + 32768.
Matrix i16_planes(const std::filesystem::path& file) {
    const Bytes bytes = read(file);
    Matrix matrix;
    const std::size_t count = compact_header(file, bytes, 2, matrix);
    for (std::size_t i = 0; i < count; ++i) {
        matrix.values[i] = static_cast<float>(bytes[8 + i] + 256 * bytes[8 + count + i] - 32768);
    }
    return matrix;
}

/// IDX images: a header of 16 bytes, then 8-bit values.
Matrix idx_images(const std::filesystem::path& file) {
    const Bytes bytes = read(file);
    constexpr std::size_t header = 16;
    Matrix matrix;
    matrix.dim = 784;
    if (bytes.size() <= header || (bytes.size() - header) % matrix.dim != 0) fail(file, "not 28 x 28 images");
    matrix.values.assign(bytes.begin() + header, bytes.end());
    return matrix;
}

void normalize(Matrix& matrix) {
    for (std::size_t row = 0; row < matrix.rows(); ++row) {
        float* const values = matrix.values.data() + row * matrix.dim;
        double squares = 0;
        for (std::size_t i = 0; i < matrix.dim; ++i) squares += static_cast<double>(values[i]) * values[i];
        const double length = std::sqrt(squares);
        for (std::size_t i = 0; i < matrix.dim; ++i) values[i] = static_cast<float>(values[i] / length);
    }
}

void keep(Matrix& matrix, std::size_t rows) {
    if (rows < matrix.rows()) matrix.values.resize(rows * matrix.dim);
}

/// Moves every `step`-th row of the base to the queries.
void hold_out(Dataset& set, std::size_t step) {
    Matrix all = std::move(set.base);
    set.base = Matrix{all.dim, {}};
    set.queries = Matrix{all.dim, {}};
    for (std::size_t row = 0; row < all.rows(); ++row) {
        Matrix& to = row % step == 0 ? set.queries : set.base;
        to.values.insert(to.values.end(), all.row(row), all.row(row) + all.dim);
    }
}

/// The distances of each query's k nearest, by comparing all.
template <class Metric>
void find_truth(Dataset& set) {
    const auto count = static_cast<kith::Slot>(set.base.rows());
    const auto index = kith::make_vector_index<Metric, kith::Flat>(set.base.dim, count);
    for (std::size_t row = 0; row < count; ++row) index->append(set.base.row(row));
    kith::SearchScratch scratch;
    std::vector<kith::Neighbor> found(set.known);
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        const kith::SearchParams params{
            .limit = set.known, .ef_search = 1, .allowed = kith::BitsetView(count), .nprobe = 0, .rescore = 0};
        index->search_exact(set.queries.row(query), params, scratch, found.data());
        for (const kith::Neighbor& neighbor : found) {
            const float* const row = set.base.row(neighbor.slot);
            set.truth.push_back(static_cast<float>(true_distance(set, set.queries.row(query), row)));
        }
    }
}

/// The same from a list of true neighbours, nearest first, `width` a query.
void take_truth(Dataset& set, const std::vector<std::int32_t>& truth, std::size_t width) {
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        for (std::size_t i = 0; i < set.known; ++i) {
            const float* const row = set.base.row(static_cast<std::size_t>(truth.at(query * width + i)));
            set.truth.push_back(static_cast<float>(true_distance(set, set.queries.row(query), row)));
        }
    }
}

std::vector<std::int32_t> compact_truth(const std::filesystem::path& file, std::size_t& width) {
    const Bytes bytes = read(file);
    Matrix shape;
    std::vector<std::int32_t> truth(compact_header(file, bytes, 4, shape));
    width = shape.dim;
    std::memcpy(truth.data(), bytes.data() + 8, 4 * truth.size());
    return truth;
}

}  // namespace

double true_distance(const Dataset& set, const float* a, const float* b) {
    double sum = 0;
    for (std::size_t i = 0; i < set.base.dim; ++i) {
        const double x = a[i], y = b[i];
        sum += set.cosine ? x * y : (x - y) * (x - y);
    }
    return set.cosine ? 1 - sum : sum;
}

Dataset load(const std::filesystem::path& folder, const std::string& name, std::size_t rows, std::size_t queries,
             std::size_t k) {
    Dataset set;
    set.name = name;
    const auto file = [&](const char* rest) { return folder / (name + rest); };
    std::filesystem::path truth_file = file(".gt.i32bin.zst");
    if (name == "words") {
        set.base = i8_values(folder / "words.i8bin");
        hold_out(set, 20);
        set.cosine = true;
    } else if (name == "fashion") {
        set.base = idx_images(file("-train-images-idx3-ubyte.gz"));
        set.queries = idx_images(file("-t10k-images-idx3-ubyte.gz"));
        keep(set.queries, 2000);  // as many as have known neighbours
    } else if (name == "glove") {
        set.base = i16_planes(file(".base.i16planes.zst"));
        set.queries = i16_planes(file(".query.i16planes.zst"));
        set.cosine = true;
    } else if (name == "text") {
        set.base = i8_values(file(".base.i8bin.zst"));
        set.queries = i8_values(file(".query.i8bin.zst"));
        set.cosine = true;
    } else if (name == "sift") {
        set.base = u8_values(file(".base.u8bin.zst"));
        set.queries = u8_values(file(".query.u8bin.zst"));
    } else {
        set.base.values = vecs<float>(file(".base.fvecs"), set.base.dim);
        set.queries.values = vecs<float>(file(".query.fvecs"), set.queries.dim);
        truth_file = file(".gt.ivecs");
        if (set.base.dim != set.queries.dim) fail(file(".query.fvecs"), "its vectors differ in length from the base's");
    }
    const bool whole = rows >= set.base.rows();
    keep(set.base, rows);
    keep(set.queries, queries);
    if (set.cosine) {
        normalize(set.base);
        normalize(set.queries);
    }
    if (k == 0 || k > set.base.rows()) throw std::runtime_error("k must be between 1 and the number of rows");
    set.known = k;
    if (whole && std::filesystem::exists(truth_file)) {
        std::size_t width = 0;
        const bool compact = truth_file.extension() == ".zst";
        const auto truth = compact ? compact_truth(truth_file, width) : vecs<std::int32_t>(truth_file, width);
        if (k > width) fail(truth_file, "knows fewer than k neighbours");
        take_truth(set, truth, width);
    } else if (set.cosine) {
        find_truth<kith::Cosine>(set);
    } else {
        find_truth<kith::L2>(set);
    }
    return set;
}

}  // namespace ann
