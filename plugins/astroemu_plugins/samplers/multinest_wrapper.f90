! The C function `run` of MultiNest, with the arguments that pymultinest gives it.
!
! The wrapper in MultiNest's own archive passes internal procedures to Fortran. Compilers build these on an executable
! stack, and recent C libraries refuse to load a library that demands one. The functions of C are therefore kept in
! variables of this module. Only one run can take place in a process, as in MultiNest itself.
module astroemu_multinest
  use iso_c_binding, only: c_bool, c_char, c_double, c_f_procpointer, c_funptr, c_int, c_null_char, c_ptr
  use nested, only: nestrun
  use utils1, only: root_max_len
  implicit none
  private
  public :: run

  ! Found in the bytes of the library, so that nobody has to load it to know what it is (see multinest_library.py).
  character(kind=c_char, len=*), parameter :: words = "astroemu: " // SOURCE_WORDS // c_null_char
  character(kind=c_char), bind(c, name="astroemu_source"), public :: astroemu_source(len(words)) = &
    transfer(words, [c_char_" "])

  abstract interface
    real(c_double) function c_likelihood(cube, n_dim, n_par, context) bind(c)
      import :: c_double, c_int
      integer(c_int), intent(in), value :: n_dim, n_par
      real(c_double), intent(inout) :: cube(n_par)
      integer(c_int), intent(in) :: context
    end function c_likelihood
    subroutine c_dumper(n_samples, n_live, n_par, live, posterior, constraints, highest, log_z, log_z_is, error, &
                        context) bind(c)
      import :: c_double, c_int
      integer(c_int), intent(in), value :: n_samples, n_live, n_par, context
      real(c_double), intent(in) :: live(n_live, n_par + 1), posterior(n_samples, n_par + 2), constraints(4 * n_par)
      real(c_double), intent(in), value :: highest, log_z, log_z_is, error
    end subroutine c_dumper
  end interface

  procedure(c_likelihood), pointer :: likelihood_of_c => null()
  procedure(c_dumper), pointer :: dumper_of_c => null()

contains

  subroutine run(importance, multimodal, constant_efficiency, n_live, tolerance, efficiency, n_dim, n_par, &
                 n_clustering, max_modes, update, null_z, root, seed, wrap, feedback, resume, write_files, init_mpi, &
                 log_zero, max_iterations, likelihood, dumper, context) bind(c)
    logical(c_bool), intent(in), value :: importance, multimodal, constant_efficiency
    logical(c_bool), intent(in), value :: feedback, resume, write_files, init_mpi
    integer(c_int), intent(in), value :: n_live, n_dim, n_par, n_clustering, max_modes, update, seed, max_iterations
    real(c_double), intent(in), value :: tolerance, efficiency, null_z, log_zero
    character(kind=c_char), intent(in) :: root(*)
    integer(c_int), intent(in) :: wrap(n_dim)
    type(c_funptr), intent(in), value :: likelihood, dumper
    type(c_ptr), intent(in), value :: context
    character(len=root_max_len) :: name
    integer :: i

    call c_f_procpointer(likelihood, likelihood_of_c)
    call c_f_procpointer(dumper, dumper_of_c)
    name = " "
    do i = 1, root_max_len
      if (root(i) == c_null_char) exit
      name(i:i) = root(i)
    end do
    call nestrun(logical(importance), logical(multimodal), logical(constant_efficiency), n_live, tolerance, &
                 efficiency, n_dim, n_par, n_clustering, max_modes, update, null_z, name, seed, wrap, &
                 logical(feedback), logical(resume), logical(write_files), logical(init_mpi), log_zero, &
                 max_iterations, log_likelihood, dump, 0)
  end subroutine run

  subroutine log_likelihood(cube, n_dim, n_par, value, context)
    integer :: n_dim, n_par, context
    double precision :: value, cube(n_par)

    value = likelihood_of_c(cube, n_dim, n_par, context)
  end subroutine log_likelihood

  subroutine dump(n_samples, n_live, n_par, live, posterior, constraints, highest, log_z, log_z_is, error, context)
    integer :: n_samples, n_live, n_par, context
    double precision, pointer :: live(:, :), posterior(:, :), constraints(:)
    double precision :: highest, log_z, log_z_is, error

    call dumper_of_c(n_samples, n_live, n_par, live, posterior, constraints, highest, log_z, log_z_is, error, context)
  end subroutine dump

end module astroemu_multinest
