// kith/index/compiled_indexes.hpp — the indexes most programs use, which the compiled unit holds for all of them.
//
// They are those of a field of floats that names no index, so a file with such a collection compiles in half the time.
#pragma once

#include "kith/core/config.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/index/hnsw.hpp"
#include "kith/index/tags.hpp"
#include "kith/index/typed_vector_index.hpp"

#include <cstddef>
#include <memory>

#if KITH_COMPILED

namespace kith::inline v0 {

extern template std::unique_ptr<VectorIndex> make_vector_index<Cosine, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Hnsw<>>(std::size_t, Slot, const ImageBytes&,
                                                                              const ImageBytes&);
extern template IndexSpace vector_index_space<Cosine, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> make_vector_index<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                               const ImageBytes&,
                                                                                               const ImageBytes&);
extern template IndexSpace vector_index_space<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                            const ImageBytes&);

extern template std::unique_ptr<VectorIndex> make_vector_index<InnerProduct, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Hnsw<>>(std::size_t, Slot,
                                                                                    const ImageBytes&,
                                                                                    const ImageBytes&);
extern template IndexSpace vector_index_space<InnerProduct, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> make_vector_index<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t,
                                                                                                      Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                                     const ImageBytes&,
                                                                                                     const ImageBytes&);
extern template IndexSpace vector_index_space<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                                  const ImageBytes&);

extern template std::unique_ptr<VectorIndex> make_vector_index<L2, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<L2, Hnsw<>>(std::size_t, Slot, const ImageBytes&,
                                                                          const ImageBytes&);
extern template IndexSpace vector_index_space<L2, Hnsw<>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> make_vector_index<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                           const ImageBytes&,
                                                                                           const ImageBytes&);
extern template IndexSpace vector_index_space<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
extern template std::unique_ptr<VectorIndex> map_vector_index<L2, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                        const ImageBytes&);

}  // namespace kith::inline v0

#endif
